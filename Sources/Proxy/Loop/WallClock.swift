#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The time since 1970. Used only for the validity of hints, for Date fields, for the expiry of cookies, and for
/// sessions that end by age.
enum WallClock {
    static func seconds() -> UInt32 { UInt32(clamping: read().tv_sec) }

    static func nanoseconds() -> Int64 {
        let time = read()
        return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }

    private static func read() -> timespec {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return time
    }
}
