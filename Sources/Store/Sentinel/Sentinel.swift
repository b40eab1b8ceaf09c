import Affinity
import Logging
import NIOCore
import Networking

/// One Sentinel, and this replica's two connections to it. Confined to `eventLoop`, from `start` to the end of `stop`.
final class Sentinel {
    /// What it reports, on its loop.
    struct Owner {
        let answered: (SentinelTopology.Answer, _ askedAt: Instant) -> Void
        /// Something may have changed: a fail-over was announced, or the Sentinel can be asked again.
        let noticed: () -> Void
    }

    private let eventLoop: any EventLoop
    private let target: ConnectionTarget
    let endpoint: RedisEndpoint
    private let primaryName: String
    private let logger: Logger
    private let questions: ReconnectingConnection<SentinelConnection>
    private let notices: ReconnectingConnection<SentinelConnection>
    private var owner: Owner?
    /// The question whose answer is awaited.
    private var askedAt: Instant?
    /// What has been logged of its announcements, until they are heard.
    private var unheard: Set<StoreError> = []
    /// Errors are told apart by words that the server chooses.
    private static let mostUnheard = 8

    /// - Parameter settings: for the timeout. The endpoint is that of the primary, and not used.
    init(
        _ endpoint: RedisEndpoint, of sentinels: SentinelSettings, settings: StoreSettings,
        resolver: NameResolver, on eventLoop: any EventLoop, logger: Logger
    ) {
        self.eventLoop = eventLoop
        self.endpoint = endpoint
        primaryName = sentinels.primaryName
        self.logger = logger
        target = ConnectionTarget(
            settings: settings, endpoints: FixedEndpoint(endpoint: endpoint), status: PrimaryStatus(dataConnections: 1),
            tls: sentinels.tls, resolver: resolver)
        questions = ReconnectingConnection(to: target, on: eventLoop)
        notices = ReconnectingConnection(to: target, on: eventLoop)
    }

    func start(_ owner: Owner) {
        guard self.owner == nil else { return }
        self.owner = owner
        start(questions, .questions)
        start(notices, .notices)
    }

    func stop() -> EventLoopFuture<Void> {
        owner = nil
        return questions.stop().and(notices.stop()).map { _ in }
    }

    /// Asks which server is the primary. There is exactly one answer, unless another question is asked before; it may
    /// be given from within this call.
    func ask(at now: Instant) {
        notices.serving?.ping()
        if let connection = questions.serving, connection.ask(at: now) {
            askedAt = now
        } else {
            owner?.answered(.silent, now)
        }
    }

    private func start(_ connection: ReconnectingConnection<SentinelConnection>, _ purpose: SentinelConnection.Purpose)
    {
        connection.start(
            .init(
                makeHandler: { endpoint in
                    SentinelConnection(
                        purpose, endpoint: endpoint, settings: self.target.settings, primaryName: self.primaryName,
                        owner: self.reports(of: connection, purpose))
                }, failed: { purpose == .questions ? self.report($0) : self.failedToHear($0) }))
    }

    private func reports(
        of connection: ReconnectingConnection<SentinelConnection>, _ purpose: SentinelConnection.Purpose
    ) -> SentinelConnection.Owner {
        .init(
            greeted: {
                connection.greeted(now: .now)
                connection.proved()
                if purpose == .questions { self.owner?.noticed() }
            }, answered: { self.answered($0, askedAt: $1) }, noticed: { self.owner?.noticed() },
            heard: { self.hears() },
            ended: { error in
                if purpose == .questions { self.gaveUp() }
                connection.ended(error)
            })
    }

    private func answered(_ reply: SentinelReply, askedAt: Instant?) {
        let answer: SentinelTopology.Answer
        switch reply {
        case .primary(let address, let epoch):
            noteRecovery()
            answer = .primary(address, epoch: epoch)
        case .unknownName:
            report(.unknownToSentinel(name: primaryName))
            answer = .unknownName
        // The connection ends with the error.
        case .failed: answer = .silent
        }
        guard let askedAt else { return }
        if self.askedAt == askedAt { self.askedAt = nil }
        owner?.answered(answer, askedAt)
    }

    /// The connection has ended before it answered.
    private func gaveUp() {
        guard let askedAt else { return }
        self.askedAt = nil
        owner?.answered(.silent, askedAt)
    }

    private func report(_ error: StoreError) {
        guard owner != nil, target.status.shouldLog(error, to: .store, now: .now) else { return }
        logger.warning(
            "A Sentinel cannot name the primary.",
            metadata: ["sentinel": "\(endpoint)", "reason": "\(error.description)"])
    }

    /// It may name the primary all the same. What keeps it from that, too, is said by the connection that asks.
    private func failedToHear(_ error: StoreError) {
        guard owner != nil, questions.serving != nil, error.isRefusal, unheard.count < Self.mostUnheard,
            unheard.insert(error).inserted
        else { return }
        logger.warning(
            "A Sentinel's announcements are not heard.",
            metadata: ["sentinel": "\(endpoint)", "reason": "\(error.description)"])
    }

    private func hears() {
        guard !unheard.isEmpty else { return }
        unheard = []
        logger.info("A Sentinel's announcements are heard again.", metadata: ["sentinel": "\(endpoint)"])
    }

    private func noteRecovery() {
        guard target.status.shouldLogRecovery(to: .store, now: .now) else { return }
        logger.info("A Sentinel names the primary.", metadata: ["sentinel": "\(endpoint)"])
    }
}
