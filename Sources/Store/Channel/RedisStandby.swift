package import Affinity
import NIOCore

/// Carries out what ``Standby`` decides for one primary: scans, offers and announcements. Confined to the event loop of
/// its channel, whose data connection it shares with the requests of that loop.
package final class RedisStandby {
    private static let interval = TimeAmount.milliseconds(50)
    private static let busyInterval = TimeAmount.milliseconds(5)

    /// What the other replicas report. Called at each tick.
    package var fleet: () -> FleetStandby = { FleetStandby() }
    /// Called on the loop when the status changes, and at most once a second when only its count of sessions does.
    package var onStatus: ((_ status: StandbyStatus, _ isCount: Bool) -> Void)?
    private let channel: RedisChannel
    private let store: RedisStore
    private var core: Standby
    private var told: StandbyStatus?
    private var toldAt = Instant.now
    private var timer: Scheduled<Void>?
    private var isStopped = false

    /// - Parameters:
    ///   - channel: hears the announcements.
    ///   - store: the store on whose connection the channel sends its heartbeats.
    ///   - instance: the random number of this process, by which the fleet knows it.
    package init(
        channel: RedisChannel, store: RedisStore, instance: UInt64, coherence: Coherence, cache: BindingCache
    ) {
        self.channel = channel
        self.store = store
        core = Standby(
            primary: store.primary.number, instance: instance, cache: cache, coherence: coherence,
            budgetMilliseconds: store.primary.settings.commandTimeout.wholeMilliseconds, now: .now)
    }

    /// How much this replica would know if the store were lost now.
    package var status: StandbyStatus { core.status(now: .now) }
    package var counters: Standby.Counters { core.counters }

    /// The longest lifetime of a record, of all services, in milliseconds.
    package func reconfigured(recordLifetimeMilliseconds: Int64) {
        core.reconfigured(recordLifetimeMilliseconds: recordLifetimeMilliseconds)
    }

    /// Must be called before the channel is started.
    package func start() {
        channel.onStatus = { [unowned self] status, now in
            core.channelChanged(
                to: status, echoedBeatSentAt: channel.echoedBeatSentAt, hearsAnnouncements: channel.hearsAnnouncements,
                now: now)
        }
        channel.onAnnouncement = { [unowned self] announcement, now in core.received(announcement, now: now) }
        tick()
    }

    package func stop() {
        isStopped = true
        timer?.cancel()
        timer = nil
        channel.onStatus = nil
        channel.onAnnouncement = nil
    }

    private func tick() {
        guard !isStopped else { return }
        let now = Instant.now
        perform(core.tick(fleet: fleet(), storeIsAvailable: store.isAvailable, now: now))
        report(now)
        timer = store.eventLoop.assumeIsolated().scheduleTask(in: core.isBusy ? Self.busyInterval : Self.interval) {
            self.tick()
        }
    }

    private func report(_ now: Instant) {
        let status = core.status(now: now)
        guard status != told else { return }
        let isCount = told.map(status.isSameKind) ?? false
        guard !isCount || now.milliseconds(since: toldAt) >= 1000 else { return }
        (told, toldAt) = (status, now)
        onStatus?(status, isCount)
    }

    private func perform(_ actions: [Standby.Action]) {
        for action in actions {
            switch action {
            case .scan(let cursor): scan(from: cursor)
            case .send(let operation): store.send(operation, for: self)
            case .announce(let sessions, let hasLeftOut): announce(sessions, hasLeftOut: hasLeftOut)
            }
        }
    }

    private func scan(from cursor: UInt64) {
        let isSent = store.scan(from: cursor) { reply in
            switch reply {
            case .page(let page):
                self.perform(self.core.scanned(page.fingerprints, next: page.next, now: .now))
            case .refused, .malformed, .tooLarge: self.core.scanFailed(isFinal: true, now: .now)
            case .lost: self.core.scanFailed(isFinal: false, now: .now)
            }
        }
        if !isSent { core.scanFailed(isFinal: false, now: .now) }
    }

    private func announce(_ sessions: [Fingerprint], hasLeftOut: Bool) {
        let isSent = channel.announce(sessions, hasLeftOut: hasLeftOut) { reply in
            let next = self.core.announced(
                isPublished: reply == .done, isRefused: reply == .refused, now: .now)
            self.perform(next)
        }
        if !isSent { _ = core.announced(isPublished: false, isRefused: false, now: .now) }
    }
}

extension RedisStandby: StoreWaiter {
    package var isBackground: Bool { true }

    package func storeAnswered(_ result: StoreResult, to operation: StoreOperation, stamp: OperationStamp) {
        perform(core.answered(result, to: operation, stamp: stamp, now: .now))
    }
}
