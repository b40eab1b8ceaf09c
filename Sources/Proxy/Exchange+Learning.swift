import Affinity
import HTTPWire
import NIOCore

/// Session keys that responses issue: they are bound to the backend that answered before the client sees them, so that
/// its next request, on whatever replica, finds where it belongs.
extension Exchange {
    /// A response that is held may grow to this, should its backend close behind it. Beyond, it goes on at once.
    private static let heldResponseMax = 1024 * 1024

    /// Whether the response has to wait until the store has been told what it issues; then it is held, and goes on by
    /// itself. Asked once.
    func holdsResponse(_ bytes: inout ByteBuffer) -> Bool {
        guard !hasLearnt, let service, service.learns || levels.contains(where: \.service.learns) else { return false }
        hasLearnt = true
        bytes.withUnsafeReadableBytes { source in
            for level in levels { learn(level.service, level.decision, level.route, level.target, source) }
            if let pool { learn(service, decision, route, pool.hash, source) }
        }
        guard lessons > 0 else { return false }
        phase = .learning
        heldResponse = worker.copy(bytes)
        bytes.clear()
        backend?.pauseReading()
        backend?.deadline = .distantFuture
        return true
    }

    private func learn(
        _ service: ServiceRuntime, _ decision: Decision, _ route: Route?, _ backend: BackendHash,
        _ source: UnsafeRawBufferPointer
    ) {
        guard service.learns, let key = service.issuedKey(source, worker.responseFields) else { return }
        // The session of this very request: known, or being made known already.
        if let route, route.provenance != .balanced, decision.fingerprint == key { return }
        lessons += 1
        Lesson(Learning(fingerprint: key, backend: backend), service, for: self).begin()
    }

    func lessonIsOver() {
        lessons -= 1
        if lessons == 0 { respondNow() }
    }

    /// More came of a response that is held: its backend has closed behind it, else nothing is read.
    func holdMore(_ bytes: inout ByteBuffer) {
        heldResponse?.writeBuffer(&bytes)
        if heldResponse?.readableBytes ?? 0 > Self.heldResponseMax { respondNow() }
    }

    private func respondNow() {
        guard case .learning = phase, var bytes = heldResponse.take() else { return }
        phase = .requesting
        takeResponseBytes(&bytes)
        guard case .responding = phase else { return }
        guard let backend else { return backendClosed() }
        backend.hold(bytes)
        if client?.isWritable ?? false { backend.resumeReading() }
    }
}
