import Synchronization

/// The files that `basicAuth` names, each with the contents it had when it was first read. A reload for another reason
/// uses the contents that are in force. Equality is identity.
package final class UsersFiles: Sendable, Equatable {
    /// How many files are cached; further ones are read each time.
    private static let countMax = 1000
    private static let byteCountMax = 1 << 20

    private let known = Mutex<[String: [UInt8]]>([:])

    package init() {}

    package static func == (left: UsersFiles, right: UsersFiles) -> Bool { left === right }

    /// A file that cannot be read is tried again the next time.
    func bytes(of path: String) throws(FileContents.Failure) -> [UInt8] {
        if let bytes = known.withLock({ $0[path] }) { return bytes }
        let bytes = try FileContents.bytes(of: path, byteCountMax: Self.byteCountMax)
        known.withLock { known in
            if known.count < Self.countMax { known[path] = bytes }
        }
        return bytes
    }
}
