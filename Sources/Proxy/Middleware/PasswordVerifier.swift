import Crypto
import NIOCore
import NIOPosix
import Synchronization

/// Checks passwords on a few threads of its own, for all event loops of the process: bcrypt takes a tenth of a second,
/// in which a loop would serve nobody.
package final class PasswordVerifier: Sendable {
    /// The process's own. Its threads begin with the first use.
    package static let shared = PasswordVerifier()

    /// Checks that may wait or be under way at one time; a further one is refused.
    private let limit: Int
    private let threads: NIOThreadPool
    private let pending = Atomic(0)
    /// Under which verified credentials are remembered: it lives and dies with the process.
    let memoryKey = SymmetricKey(size: .bits256)

    package init(threads: Int = 2, limit: Int = 64) {
        self.limit = limit
        self.threads = NIOThreadPool(numberOfThreads: threads)
        self.threads.start()
    }

    /// Whether the password is the one that `hash` was made of, told on `loop`; nil where too many checks are pending.
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

    /// Ends the threads. Checks that wait are dropped, their futures fail.
    package func shutDown() async throws {
        try await threads.shutdownGracefully()
    }
}
