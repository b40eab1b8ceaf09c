import LimpetTestKit
import Testing

@testable import Affinity

@Suite("Standby: every replica knows every session")
struct StandbyTests {
    private static func session(_ number: Int) -> Fingerprint {
        Fingerprint(high: SplitMix.mixed(UInt64(number)), low: SplitMix.mixed(UInt64(number) ^ 77))
    }

    private static func binding(_ number: Int, _ epoch: UInt32 = 1) -> Binding {
        Binding(backend: BackendHash(bits: UInt32(number % 5 + 1)), epoch: epoch)
    }

    /// A synced fleet, and the sessions that its first replica has written.
    private static func synced(replicas: Int = 3, sessions: Int = 200, cacheEntries: Int = 5000) -> StandbyFleet {
        var fleet = StandbyFleet(replicas: replicas, cacheEntries: cacheEntries)
        fleet.start()
        for number in 0..<sessions { fleet.write(session(number), binding(number), by: 0) }
        fleet.pass(4000)
        return fleet
    }

    // MARK: Announcements

    @Test("what one replica writes the others know within 60 ms, as standby")
    func announced() {
        var fleet = Self.synced(sessions: 0)
        #expect(fleet.replicas.allSatisfy { $0.status(fleet.now) == .synced })
        fleet.write(Self.session(1), Self.binding(1), by: 0)
        fleet.pass(100)
        for index in 1...2 {
            #expect(fleet.known(Self.session(1), by: index)?.binding == Self.binding(1))
            #expect(fleet.known(Self.session(1), by: index)?.isStandby == true)
        }
        #expect(fleet.known(Self.session(1), by: 0)?.isStandby == false)
        #expect(fleet.announcements.count == 1)
    }

    @Test("every write without a result counts, whoever waited for it, and nothing that was not sent")
    func noResult() throws {
        for failure in StoreFailure.allCases {
            let isSent = failure == .late || failure == .lost
            var fleet = try Fleet()
            fleet.failure = failure
            _ = fleet.serve(Self.session(1))
            fleet.learn(Self.session(2), from: 0)
            fleet.know(Self.session(3), fleet.binding(1, 2), .dirty)
            let result = StoreResult.unavailable(failure)
            let restore = StoreOperation.restore(Self.session(3), fleet.binding(1, 2), lifetimeMilliseconds: 1000)
            _ = fleet.storeAnsweredInBackground(result, to: restore)
            let create = StoreOperation.create(Self.session(4), fleet.backend(1), lifetimeMilliseconds: 1000)
            fleet.replicas[0].storeAnsweredEndedRequest(result, to: create, now: fleet.now)
            let touch = StoreOperation.touch(Self.session(5), lifetimeMilliseconds: 1000)
            _ = fleet.storeAnsweredInBackground(result, to: touch)
            let written = fleet.replicas[0].coherence.written
            #expect(written.next(primary: 0, delayMilliseconds: 0, now: fleet.now) == nil)
            fleet.offerAll()
            let sessions = written.next(primary: 0, delayMilliseconds: 0, now: fleet.now)?.sessions ?? []
            #expect(Set(sessions).isSuperset(of: (1...4).map(Self.session)) == isSent, "\(failure)")
        }
    }

    @Test("what was written for a request that has ended meanwhile is announced")
    func abandoned() throws {
        var fleet = try Fleet()
        let create = StoreOperation.create(Self.session(1), fleet.backend(1), lifetimeMilliseconds: 1000)
        fleet.replicas[0].storeAnsweredEndedRequest(.written, to: create, now: fleet.now)
        let written = fleet.replicas[0].coherence.written
        #expect(written.next(primary: 0, delayMilliseconds: 0, now: fleet.now)?.sessions == [Self.session(1)])
    }

    @Test("many sessions leave in full messages, within the rate of the fleet")
    func rate() {
        var fleet = Self.synced(replicas: 4, sessions: 0, cacheEntries: 50_000)
        for number in 0..<3200 { fleet.write(Self.session(number), Self.binding(number), by: 0) }
        fleet.pass(1000)
        #expect(fleet.announcements.count == 50)
        #expect(fleet.announcements.allSatisfy { $0.items.count == 64 })
        #expect((0..<3200).allSatisfy { fleet.known(Self.session($0), by: 3) != nil })
    }

    @Test("what finds no place is left out, the next message says so, and all others scan the store again")
    func leftOut() {
        var fleet = Self.synced(sessions: 0, cacheEntries: 50_000)
        let scans = fleet.scans
        for number in 0..<12_000 { fleet.write(Self.session(number), Self.binding(number), by: 0) }
        fleet.pass(60)
        #expect(fleet.announcements.contains { $0.hasLeftOut })
        #expect(fleet.replicas[0].status(fleet.now) == .synced)
        guard case .syncing = fleet.replicas[1].status(fleet.now) else {
            Issue.record("\(fleet.replicas[1].status(fleet.now))")
            return
        }
        fleet.pass(12_000)
        #expect(fleet.scans > scans)
        #expect(fleet.replicas.allSatisfy { $0.status(fleet.now) == .synced })
        #expect((0..<12_000).allSatisfy { fleet.known(Self.session($0), by: 2) != nil })
    }

    @Test("a replica that may not announce is off; the others are not synced while it is there")
    func refused() {
        var fleet = Self.synced(sessions: 0)
        fleet.mayAnnounce = false
        fleet.write(Self.session(1), Self.binding(1), by: 0)
        fleet.pass(2500)
        #expect(fleet.replicas[0].status(fleet.now) == .off)
        #expect(fleet.replicas[1].status(fleet.now) == .notSynced(.unannounced))
    }

    @Test("rights that come back are used without a new subscription: to announce, and to scan")
    func permittedAgain() {
        var fleet = Self.synced(sessions: 0)
        fleet.mayAnnounce = false
        fleet.write(Self.session(1), Self.binding(1), by: 0)
        fleet.pass(15_000)
        #expect(fleet.replicas[0].status(fleet.now) == .off)
        fleet.mayAnnounce = true
        fleet.write(Self.session(2), Self.binding(2), by: 0)
        fleet.pass(15_000)
        #expect(fleet.replicas.allSatisfy { $0.status(fleet.now) == .synced })
        for number in 1...2 { #expect(fleet.known(Self.session(number), by: 2) != nil) }
        fleet.scanReply = { _ in nil }
        fleet.restart(1)
        fleet.pass(15_000)
        #expect(fleet.replicas[1].status(fleet.now) == .notSynced(.scanFailed))
        fleet.scanReply = nil
        fleet.pass(15_000)
        #expect(fleet.replicas[1].status(fleet.now) == .synced)
    }

    @Test("a replica of an earlier release is a gap for as long as it is there")
    func earlierRelease() {
        var fleet = StandbyFleet(replicas: 3)
        fleet.replicas[2].isSilent = true
        fleet.start()
        fleet.pass(3000)
        #expect(fleet.replicas[0].status(fleet.now) == .notSynced(.unannounced))
        fleet.replicas[2].isSilent = false
        fleet.pass(3000)
        #expect(fleet.replicas[0].status(fleet.now) == .synced)
    }

    @Test("a flood of announcements is cut off, counted, and made up for by a scan")
    func flood() {
        var fleet = Self.synced(sessions: 0)
        for message in 0..<3000 {
            let items = (0..<64).map {
                Announcement.Item(
                    Self.session(message * 64 + $0), StoredRecord(Self.binding(1), remainingMilliseconds: 1000))
            }
            fleet.replicas[0].standby.received(
                Announcement(instance: 99, hasLeftOut: false, items: items), now: fleet.now)
        }
        let counters = fleet.replicas[0].standby.counters
        #expect(counters.recordsHeard <= 100_000 && counters.recordsDropped >= 90_000)
        #expect(fleet.replicas[0].status(fleet.now) != .synced)
    }

    // MARK: The scan

    @Test("a replica that starts later learns every session, at 10,000 keys a second")
    func newcomer() {
        var fleet = Self.synced(sessions: 5000, cacheEntries: 10_000)
        fleet.restart(2)
        fleet.pass(500)
        guard case .syncing(let sessions) = fleet.replicas[2].status(fleet.now) else {
            Issue.record("\(fleet.replicas[2].status(fleet.now))")
            return
        }
        #expect(sessions >= 4500 && sessions <= 5000)
        fleet.pass(1000)
        #expect(fleet.replicas[2].status(fleet.now) == .synced)
        #expect((0..<5000).allSatisfy { fleet.known(Self.session($0), by: 2)?.binding == Self.binding($0) })
    }

    @Test("replicas that scan together share the rate")
    func sharedRate() {
        var fleet = Self.synced(sessions: 3000)
        fleet.loseStore()
        fleet.pass(1000)
        fleet.restoreStore()
        let before = fleet.scans
        fleet.pass(300)
        #expect(fleet.scans - before <= 33)
    }

    @Test("while nothing is missed nothing is scanned again")
    func quiet() {
        var fleet = Self.synced(sessions: 100)
        let before = fleet.scans
        fleet.pass(20_000)
        #expect(fleet.scans == before)
    }

    @Test("a scan that the store refuses, or that never ends, is given up")
    func brokenScan() {
        let replies: [(UInt64) -> (next: UInt64, sessions: [Fingerprint])?] = [
            { _ in nil }, { _ in (7, []) }, { ($0 + 1, []) },
        ]
        for reply in replies {
            var fleet = StandbyFleet(replicas: 1)
            fleet.scanReply = reply
            fleet.start()
            fleet.pass(15_000)
            #expect(fleet.replicas[0].status(fleet.now) == .notSynced(.scanFailed))
            #expect(fleet.scans <= 1001)
            let scans = fleet.scans
            fleet.pass(2000)
            #expect(fleet.scans == scans)
            // A new subscription may lead to another server.
            fleet.scanReply = nil
            fleet.loseStore()
            fleet.restoreStore()
            fleet.pass(3000)
            #expect(fleet.replicas[0].status(fleet.now) == .synced)
        }
    }

    @Test("a store that lists its keys and refuses to be read is tried again after 10 s")
    func refusedReads() {
        var fleet = Self.synced(replicas: 2, sessions: 300)
        fleet.refusesReads = true
        fleet.restart(1)
        fleet.pass(5000)
        #expect(fleet.replicas[1].status(fleet.now) == .notSynced(.scanFailed))
        fleet.refusesReads = false
        fleet.pass(8000)
        #expect(fleet.replicas[1].status(fleet.now) == .synced)
    }

    @Test("a page of a few keys more than asked for is read at once, and costs its keys")
    func pageOfAFewMore() {
        var fleet = Self.synced(sessions: 4992, cacheEntries: 10_000)
        fleet.pageSize = 104
        fleet.restart(2)
        let (scans, reads) = (fleet.scans, fleet.reads)
        fleet.pass(300)
        let pages = fleet.scans - scans
        #expect(pages >= 28 && pages <= 30)
        #expect(fleet.reads - reads == 104 * pages)
    }

    @Test("a page of far too many keys is read piece by piece, at the same rate")
    func largePage() {
        var fleet = StandbyFleet(replicas: 1)
        let sessions = (0..<1500).map(Self.session)
        fleet.scanReply = { _ in (0, sessions) }
        fleet.start()
        fleet.pass(100)
        #expect(fleet.reads <= 1100 && fleet.reads > 500)
        fleet.pass(2000)
        #expect(fleet.reads == 1500)
        #expect(fleet.replicas[0].status(fleet.now) == .synced)
    }

    @Test("a cache that is too small is said, and looked at again after minutes")
    func smallCache() {
        var fleet = Self.synced(replicas: 2, sessions: 3000, cacheEntries: 500)
        #expect(fleet.replicas[1].status(fleet.now) == .notSynced(.cacheTooSmall))
        let before = fleet.scans
        fleet.pass(30_000)
        #expect(fleet.scans == before)
    }

    @Test("a replica that starts without the store says so")
    func withoutStore() {
        var fleet = StandbyFleet(replicas: 1)
        #expect(fleet.replicas[0].status(fleet.now) == .notSynced(.waiting))
        fleet.pass(2000)
        #expect(fleet.replicas[0].status(fleet.now) == .notSynced(.startedWithoutStore))
        fleet.start()
        fleet.pass(2000)
        #expect(fleet.replicas[0].status(fleet.now) == .synced)
    }

    @Test("an outage leaves a synced replica synced; what is known stays known")
    func outage() {
        var fleet = Self.synced()
        fleet.loseStore()
        fleet.pass(20_000)
        #expect(fleet.replicas.allSatisfy { $0.status(fleet.now) == .synced })
        #expect((0..<200).allSatisfy { fleet.known(Self.session($0), by: 2)?.binding == Self.binding($0) })
    }

    // MARK: Refill

    @Test("a store that comes back empty is refilled by shares, each session by one replica, then all are synced again")
    func refillsEmpty() {
        var fleet = Self.synced(sessions: 1000)
        fleet.loseStore()
        fleet.pass(2000)
        fleet.emptyStore()
        fleet.restoreStore()
        #expect(fleet.replicas.allSatisfy { $0.status(fleet.now) == .refilling && $0.coherence.isRefilling })
        fleet.pass(400)
        #expect(fleet.store.sessions(now: fleet.now).count == 1000)
        let replicas = Dictionary(grouping: fleet.offers, by: \.replica)
        #expect(fleet.offers.count == 1000)
        #expect(replicas.count == 3 && replicas.values.allSatisfy { $0.count > 250 })
        fleet.pass(6000)
        #expect(fleet.replicas.allSatisfy { $0.status(fleet.now) == .synced && !$0.coherence.isRefilling })
        #expect(fleet.offers.count == 1000)
        for number in 0..<1000 {
            #expect(fleet.store.binding(Self.session(number), now: fleet.now) == Self.binding(number))
        }
    }

    @Test("a store that is emptied under a live channel is refilled, at whatever moment, and all are synced again")
    func refillsFlushed() {
        for delay in stride(from: Int64(0), to: 100, by: 5) {
            var fleet = Self.synced(replicas: delay % 2 == 0 ? 1 : 3, sessions: 50)
            fleet.pass(delay)
            fleet.store.flush()
            fleet.era = "second"
            fleet.pass(6000)
            #expect(fleet.store.sessions(now: fleet.now).count == 50)
            #expect(fleet.replicas.allSatisfy { $0.status(fleet.now) == .synced }, "after \(delay) ms")
        }
    }

    @Test("a store that comes back with old data gets what it lacks: absent, of a lower epoch, or with less life")
    func refillsOld() throws {
        var fleet = Self.synced(sessions: 100)
        let moved = Self.session(1)
        let dropped = Self.session(2)
        let short = Self.session(3)
        let absent = Self.session(1000)
        let old = fleet.store
        fleet.write(moved, Self.binding(2, 7), by: 1)
        fleet.write(dropped, Binding(backend: .tombstone, epoch: 4), by: 1)
        fleet.write(absent, Self.binding(4), by: 1)
        fleet.pass(200)
        fleet.loseStore()
        fleet.store = old
        fleet.store.put(short, Self.binding(3), until: fleet.now.advanced(byMilliseconds: 5000))
        fleet.server = ServerIdentity(runID: .init("two"), replicationID: "a")
        fleet.restoreStore()
        fleet.pass(3000)
        #expect(fleet.store.binding(moved, now: fleet.now) == Self.binding(2, 7))
        #expect(fleet.store.binding(dropped, now: fleet.now) == Binding(backend: .tombstone, epoch: 4))
        #expect(fleet.store.binding(absent, now: fleet.now) == Self.binding(4))
        let result = fleet.store.result(.read(short), now: fleet.now)
        guard case .record(let record) = result else {
            Issue.record("\(result)")
            return
        }
        #expect(record.remainingMilliseconds > 400_000)
        #expect(fleet.offers.count < 30)
        fleet.pass(5000)
        #expect(fleet.replicas.allSatisfy { $0.status(fleet.now) == .synced })
    }

    @Test("a refused write ends the refill for seconds, ever longer; then what is missing is offered again")
    func refusedRefill() {
        var fleet = Self.synced(sessions: 1000)
        fleet.loseStore()
        fleet.emptyStore()
        fleet.refusesWrites = true
        fleet.restoreStore()
        fleet.pass(5000)
        #expect(fleet.offers.count <= 300)
        #expect(fleet.replicas.allSatisfy { !$0.coherence.isRefilling })
        fleet.pass(100_000)
        #expect(fleet.offers.count <= 300 * 5)
        fleet.refusesWrites = false
        fleet.pass(80_000)
        #expect(fleet.store.sessions(now: fleet.now).count == 1000)
        #expect(fleet.replicas.allSatisfy { $0.status(fleet.now) == .synced && !$0.coherence.isRefilling })
    }

    @Test("a refill keeps to the fleet's rate, by the last count until the channel has been live for 3 s")
    func refillRate() {
        var fleet = Self.synced(replicas: 4, sessions: 4000, cacheEntries: 10_000)
        fleet.loseStore()
        fleet.pass(1000)
        fleet.emptyStore()
        fleet.storeIsUp = true
        fleet.connect(0)
        fleet.pass(300)
        // One replica alone: a quarter of 20,000 a second.
        #expect((600...1500).contains(fleet.offers.count), "\(fleet.offers.count)")
    }

    @Test("the first replica back holds its guesses for 3 s, even if it has nothing to refill")
    func holdsGuesses() {
        var fleet = StandbyFleet(replicas: 1)
        let guess = BindingCache.Entry(
            binding: Self.binding(1, 0), kind: .guess, confirmedAt: fleet.now,
            expiresAt: fleet.now.advanced(byMilliseconds: 60_000))
        fleet.replicas[0].cache.store(guess, for: Self.session(1), now: fleet.now)
        fleet.start()
        #expect(fleet.replicas[0].coherence.isRefilling)
        fleet.pass(2900)
        #expect(fleet.replicas[0].coherence.isRefilling)
        fleet.pass(200)
        #expect(!fleet.replicas[0].coherence.isRefilling)
    }

    @Test("a newcomer's scan begins when nobody refills")
    func newcomerInRefill() {
        var fleet = Self.synced(sessions: 5000, cacheEntries: 10_000)
        fleet.loseStore()
        fleet.emptyStore()
        fleet.restart(2)
        fleet.restoreStore()
        fleet.pass(100)
        #expect(fleet.replicas[2].status(fleet.now) != .synced)
        fleet.pass(20_000)
        #expect(fleet.replicas.allSatisfy { $0.status(fleet.now) == .synced })
        #expect((0..<5000).allSatisfy { fleet.known(Self.session($0), by: 2)?.binding == Self.binding($0) })
    }

    // MARK: What replicas tell each other

    @Test("the status stands behind the version, and every status comes back")
    func statusText() {
        let statuses: [StandbyStatus] =
            [.synced, .syncing(sessions: 1_234_567), .refilling, .off]
            + StandbyStatus.Reason.allCases.map { .notSynced($0) }
        for status in statuses {
            let text = status.following(version: "0.1.0-rc.1+12345678901234567890123456789012")
            #expect(FleetText.cleaned(text) == text)
            let parted = StandbyStatus.parted(text)
            #expect(parted.status == status && "0.1.0-rc.1+12345678901234567890123456789012".hasPrefix(parted.version))
        }
        #expect(StandbyStatus.parted("0.1.0").status == nil)
        #expect(StandbyStatus.parted("0.1.0/later-word").status == .notSynced(.waiting))
        #expect(StandbyStatus.synced.following(version: "a/b") == "ab/synced")
    }
}
