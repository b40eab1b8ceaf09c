import Crypto
import NIOCore
import NIOPosix
import Synchronization

/// Checks passwords on a few dedicated threads, for all event loops of the process: bcrypt takes a tenth of a second,
/// during which a loop would serve no requests.
package final class PasswordVerifier: Sendable {
    /// The shared verifier of the process. Its threads start with the first use.
    package static let shared = PasswordVerifier()

    /// The maximum number of checks that wait or run at one time; further ones are refused.
    private let limit: Int
    private let threads: NIOThreadPool
    private let pending = Atomic(0)
    /// The key of the hashes under which verified credentials are remembered; it exists only as long as the process.
    let memoryKey = SymmetricKey(size: .bits256)

    package init(threads: Int = 2, limit: Int = 64) {
        self.limit = limit
        self.threads = NIOThreadPool(numberOfThreads: threads)
        self.threads.start()
    }

    /// Whether `hash` was made from the password, delivered on `loop`; nil if too many checks are pending.
    func check(_ password: [UInt8], against hash: PasswordHash, on loop: any EventLoop) -> EventLoopFuture<Bool>? {
        let before = pending.wrappingAdd(1, ordering: .relaxed).oldValue
        guard before < limit else {
            pending.wrappingSubtract(1, ordering: .relaxed)
            return nil
        }
        return threads.runIfActive(eventLoop: loop) { [self] in
            defer { pending.wrappingSubtract(1, ordering: .relaxed) }
            return hash.matches(password)
        }
    }

    /// Stops the threads. Waiting checks are dropped, and their futures fail.
    package func shutDown() async throws {
        try await threads.shutdownGracefully()
    }
}
