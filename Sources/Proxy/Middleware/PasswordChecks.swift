import Affinity
import Crypto
import NIOCore
import Store

/// Waits for a password check. Called once, in a later turn of its loop.
protocol PasswordWaiter: AnyObject {
    func passwordChecked(_ result: PasswordChecks.Result)
}

/// The password checks of one event loop. Recently verified credentials are not checked again, and concurrent requests
/// with the same credentials share one check. Confined to its loop.
final class PasswordChecks {
    enum Result {
        case verified
        case wrong
        /// Too many checks are pending.
        case overloaded
    }

    private let verifier: PasswordVerifier
    private let loop: any EventLoop
    private var verified = VerifiedCredentials()
    private var pending: [VerifiedCredentials.Digest: [any PasswordWaiter]] = [:]

    init(verifier: PasswordVerifier, loop: any EventLoop) {
        self.verifier = verifier
        self.loop = loop
    }

    /// Returns the result if it is known at once; otherwise the waiter receives it later. An unknown user name takes as
    /// long as a known one.
    func check(
        _ credentials: BasicCredentials, _ gate: BasicAuthGate, now: Instant,
        for waiter: @autoclosure () -> any PasswordWaiter
    ) -> Result? {
        let known = gate.hash(of: credentials.user)
        guard let hash = known ?? gate.decoy(for: credentials.user, key: verifier.memoryKey) else { return .wrong }
        let digest = digest(credentials, hash, isKnown: known != nil)
        if verified.contains(digest, now: now) { return .verified }
        guard pending[digest] == nil else {
            pending[digest]?.append(waiter())
            return nil
        }
        guard let answer = verifier.check(credentials.password, against: hash, on: loop) else { return .overloaded }
        pending[digest] = [waiter()]
        let isKnown = known != nil
        let bound = NIOLoopBound(self, eventLoop: loop)
        answer.whenComplete { answer in
            let matches = (try? answer.get()) ?? false
            bound.value.checked(digest, matches: matches && isKnown)
        }
        return nil
    }

    private func checked(_ digest: VerifiedCredentials.Digest, matches: Bool) {
        if matches { verified.add(digest, now: .now) }
        for waiter in pending.removeValue(forKey: digest) ?? [] { waiter.passwordChecked(matches ? .verified : .wrong) }
    }

    /// A keyed hash of everything that decides the result. Each part is preceded by its length, so that the parts
    /// cannot be confused.
    private func digest(
        _ credentials: BasicCredentials, _ hash: PasswordHash, isKnown: Bool
    ) -> VerifiedCredentials.Digest {
        var code = HMAC<SHA256>(key: verifier.memoryKey)
        code.update(data: [isKnown ? 1 : 0])
        for part in [credentials.user, Array(hash.text.utf8), credentials.password] {
            withUnsafeBytes(of: UInt64(part.count).bigEndian) { code.update(data: $0) }
            code.update(data: part)
        }
        return code.finalize().withUnsafeBytes { bytes in
            VerifiedCredentials.Digest(words: bytes.loadUnaligned(as: SIMD4<UInt64>.self))
        }
    }
}

@available(*, unavailable)
extension PasswordChecks: Sendable {}
