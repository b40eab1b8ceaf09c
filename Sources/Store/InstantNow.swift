package import Affinity

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

extension Instant {
    /// The current time on the clock that keeps running while the machine sleeps (`CLOCK_BOOTTIME`): lifetimes of
    /// records pass in the store meanwhile. Every request reads it, so it calls the system directly.
    package static var now: Instant { Instant(nanoseconds: bootTime() &- origin) }

    private static let origin = bootTime()

    private static func bootTime() -> Int64 {
        var time = timespec()
        #if canImport(Darwin)
        clock_gettime(CLOCK_MONOTONIC, &time)
        #else
        clock_gettime(CLOCK_BOOTTIME, &time)
        #endif
        return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}
