import Synchronization

/// Files with the users of `basicAuth`, each as it was when it was first asked for: whoever reads the configuration
/// again for other reasons takes what is in force. Two are equal where they are the same one.
package final class UsersFiles: Sendable, Equatable {
    /// Of those that are remembered; further ones are read each time.
    private static let countMax = 1000
    private static let byteCountMax = 1 << 20

    private let known = Mutex<[String: [UInt8]]>([:])

    package init() {}

    package static func == (left: UsersFiles, right: UsersFiles) -> Bool { left === right }

    /// One that cannot be read is looked for again the next time.
    func bytes(of path: String) throws(FileContents.Failure) -> [UInt8] {
        if let bytes = known.withLock({ $0[path] }) { return bytes }
        let bytes = try FileContents.bytes(of: path, byteCountMax: Self.byteCountMax)
        known.withLock { known in
            if known.count < Self.countMax { known[path] = bytes }
        }
        return bytes
    }
}
