import Affinity
import NIOCore

/// Takes what the event loops of a replica find out about backends to the fleet's judge, on the judge's loop.
package struct HealthEvidence: Sendable {
    private let judge: NIOLoopBound<FleetJudge>

    init(_ judge: FleetJudge, loop: any EventLoop) {
        self.judge = NIOLoopBound(judge, eventLoop: loop)
    }

    /// A connection could not be made; it is tried once more.
    func suspected(_ service: String, _ backend: BackendHash) {
        onLoop { $0.suspected(service, backend) }
    }

    /// The backend was marked up or down. Its health table says which: two loops' reports may overtake each other.
    func changed(_ service: String, _ backend: BackendHash) {
        onLoop { $0.changed(service, backend) }
    }

    private func onLoop(_ report: @escaping @Sendable (FleetJudge) -> Void) {
        let judge = judge
        guard !judge.eventLoop.inEventLoop else { return report(judge.value) }
        judge.eventLoop.execute { report(judge.value) }
    }
}
