#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Reads small files as a whole.
package enum FileContents {
    package struct Failure: Error, Equatable {
        /// As in "cannot be read: no such file or directory".
        package let reason: String
    }

    /// Whether there is a file, or a link to one: not a directory, pipe or device.
    static func isFile(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }

    /// - Parameter isPipeTaken: whether it may be a pipe or a device, which is read to its end. Must be false while a
    ///   replica serves: a pipe may never get a writer.
    package static func bytes(of path: String, byteCountMax: Int, isPipeTaken: Bool = false) throws(Failure) -> [UInt8]
    {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | (isPipeTaken ? 0 : O_NONBLOCK))
        guard descriptor >= 0 else { throw failure() }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure() }
        // For a directory, the system reports the error at the first read.
        guard isPipeTaken || [S_IFREG, S_IFDIR].contains(status.st_mode & S_IFMT) else {
            throw Failure(reason: "cannot be read: not a regular file")
        }
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = read(descriptor, &part, part.count)
            if count == 0 { return bytes }
            guard count > 0 else {
                if errno == EINTR { continue }
                throw failure()
            }
            bytes += part[..<count]
            guard bytes.count <= byteCountMax else {
                throw Failure(reason: "cannot be read: larger than \(byteCountMax) bytes")
            }
        }
    }

    /// Why a directory cannot be listed.
    static func directoryFailure(_ path: String) -> Failure {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_DIRECTORY)
        guard descriptor >= 0 else { return failure() }
        close(descriptor)
        return Failure(reason: "cannot be read")
    }

    private static func failure() -> Failure {
        Failure(reason: "cannot be read: " + String(cString: strerror(errno)).lowercased())
    }
}
