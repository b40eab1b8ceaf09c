#if canImport(Glibc)
import Glibc
import NIOCore

/// Reports changes in directories on Linux (inotify(7)).
///
/// Owns a descriptor, used to add and remove directories; events are read from a duplicate of it.
final class Inotify: Sendable {
    /// A directory's watch number, assigned by the kernel.
    typealias Watch = Int32

    struct Event: Equatable {
        /// -1 if events were lost.
        let watch: Watch
        /// The entry in the directory; nil if the event concerns the directory itself.
        let name: String?
        /// Whether events were lost before this one.
        let isOverflow: Bool
    }

    struct Failure: Error, Equatable {
        let code: Int32
    }

    private static let mask = UInt32(
        IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE | IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF
            | IN_MOVE_SELF | Int32(IN_ONLYDIR))
    private static let headByteCount = 16

    private let descriptor: Int32

    /// - Throws: if the user already has as many instances as the system allows.
    init() throws(Failure) {
        descriptor = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
        guard descriptor >= 0 else { throw Failure(code: errno) }
    }

    deinit { close(descriptor) }

    /// A duplicate for the caller to read from and to close.
    func duplicate() throws(Failure) -> Int32 {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw Failure(code: errno) }
        return copy
    }

    /// Returns the existing number for a directory that is already watched.
    func add(_ directory: String) throws(Failure) -> Watch {
        let watch = inotify_add_watch(descriptor, directory, Self.mask)
        guard watch >= 0 else { throw Failure(code: errno) }
        return watch
    }

    func remove(_ watch: Watch) {
        _ = inotify_rm_watch(descriptor, watch)
    }

    /// The events in the bytes of one read, which never splits an event.
    static func events(in buffer: inout ByteBuffer) -> [Event] {
        var events: [Event] = []
        while buffer.readableBytes >= headByteCount,
            let watch = buffer.readInteger(endianness: .host, as: Int32.self),
            let mask = buffer.readInteger(endianness: .host, as: UInt32.self),
            buffer.readInteger(as: UInt32.self) != nil,
            let count = buffer.readInteger(endianness: .host, as: UInt32.self),
            let name = buffer.readBytes(length: Int(count))
        {
            let text = String(decoding: name.prefix { $0 != 0 }, as: UTF8.self)
            let isOverflow = mask & UInt32(IN_Q_OVERFLOW) != 0
            events.append(Event(watch: watch, name: text.isEmpty ? nil : text, isOverflow: isOverflow))
        }
        return events
    }
}
#endif
