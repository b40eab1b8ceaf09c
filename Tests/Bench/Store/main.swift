import Affinity
import Glibc
import Logging
import NIOCore
import NIOPosix
import Store

/// Microseconds of CPU that this process has used: its own and the kernel's.
func processorTime() -> (user: Double, system: Double) {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    func microseconds(_ time: timeval) -> Double { Double(time.tv_sec) * 1e6 + Double(time.tv_usec) }
    return (microseconds(usage.ru_utime), microseconds(usage.ru_stime))
}

let arguments = Array(CommandLine.arguments.dropFirst())
let place = arguments.first ?? "memory"
if arguments.count > 1 {
    let numbers = arguments.dropFirst().compactMap { Int($0) }
    guard numbers.count == 6, numbers.allSatisfy({ $0 > 0 }) else {
        print("usage: BenchStore URL REPLICAS LOOPS CONNECTIONS RATE BURST SECONDS")
        exit(2)
    }
    let load = try SharedLoad(
        place, replicas: numbers[0], loops: numbers[1], connections: numbers[2], rate: numbers[3], burst: numbers[4])
    try load.run(seconds: numbers[5])
} else {
    try askInDepth(at: place)
}
