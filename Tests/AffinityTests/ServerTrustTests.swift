import Affinity
import Testing

@Suite("The trust in a server")
struct ServerTrustTests {
    private func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

    /// A server that fell silent at 600: it owed a reply since 100, and was last heard at 50.
    private func silent() -> ServerTrust {
        var trust = ServerTrust(leaseMilliseconds: 500)
        #expect(trust.check(owedSince: at(100), heardAt: at(50), now: at(600)) == true)
        return trust
    }

    @Test("is lost when it owes a reply and is not heard for a lease, and that is said once")
    func silence() {
        var trust = ServerTrust(leaseMilliseconds: 500)
        #expect(trust.mayBeAsked)
        #expect(trust.check(owedSince: at(100), heardAt: at(50), now: at(599)) == false)
        #expect(trust.check(owedSince: at(100), heardAt: at(50), now: at(600)) == true)
        #expect(!trust.mayBeAsked && trust.state == .silent && trust.settlesAt == nil)
        #expect(trust.check(owedSince: at(100), heardAt: at(50), now: at(700)) == false)
    }

    @Test("is kept while it is heard on any connection, and while it owes nothing")
    func heard() {
        var trust = ServerTrust(leaseMilliseconds: 500)
        #expect(trust.check(owedSince: at(100), heardAt: at(300), now: at(799)) == false)
        #expect(trust.check(owedSince: at(100), heardAt: at(300), now: at(800)) == true)
        var idle = ServerTrust(leaseMilliseconds: 500)
        for tick in 0..<900 {
            #expect(idle.check(owedSince: nil, heardAt: at(300), now: at(Int64(tick) * 100)) == false)
        }
        #expect(idle.mayBeAsked)
    }

    @Test("is lost for a reply that is owed to a connection given up before, unless the server was heard since")
    func abandoned() {
        var trust = ServerTrust(leaseMilliseconds: 2000)
        // Other replies came after this command was sent, so that it was heard at 150 alone proves nothing.
        trust.gaveUp(owedSince: at(100), now: at(600))
        #expect(trust.check(owedSince: nil, heardAt: at(150), now: at(2149)) == false)
        var other = trust
        #expect(trust.check(owedSince: nil, heardAt: at(150), now: at(2150)) == true)
        #expect(other.check(owedSince: nil, heardAt: at(601), now: at(2601)) == false)
        for tick in 27..<100 {
            #expect(other.check(owedSince: nil, heardAt: at(601), now: at(Int64(tick) * 100)) == false)
        }
        #expect(other.check(owedSince: at(8400), heardAt: at(601), now: at(10_400)) == true)
    }

    @Test(
        "is lost when this process did not run for a second, whatever has been heard since: the server may have slept, too"
    )
    func paused() {
        var trust = ServerTrust(leaseMilliseconds: 500)
        #expect(trust.check(owedSince: nil, heardAt: at(50), now: at(100)) == false)
        var other = trust
        #expect(trust.check(owedSince: nil, heardAt: at(1099), now: at(1099)) == false)
        #expect(trust.mayBeAsked)
        #expect(other.check(owedSince: nil, heardAt: at(1100), now: at(1100)) == true)
        #expect(other.state == .silent)
        #expect(other.check(owedSince: nil, heardAt: at(1100), now: at(9000)) == false)
        // A pause while the server settles begins the wait anew.
        other.connected(now: at(9100))
        #expect(other.check(owedSince: nil, heardAt: at(9100), now: at(9200)) == false)
        #expect(other.check(owedSince: nil, heardAt: at(10_300), now: at(10_300)) == true)
        other.accepted(writeSentAt: at(10_300))
        #expect(!other.mayBeAsked)
    }

    @Test("is back with a write that was sent 1.1 s after the first reply, and with nothing less")
    func settling() {
        var trust = silent()
        trust.accepted(writeSentAt: at(9000))
        #expect(trust.state == .silent)
        trust.connected(now: at(10_000))
        #expect(trust.settlesAt == at(11_100) && !trust.mayBeAsked)
        // Later connections change nothing.
        trust.connected(now: at(10_500))
        #expect(trust.settlesAt == at(11_100))
        trust.accepted(writeSentAt: at(11_099))
        #expect(!trust.mayBeAsked)
        trust.accepted(writeSentAt: at(11_100))
        #expect(trust.mayBeAsked && trust.settlesAt == nil)
        trust.connected(now: at(12_000))
        #expect(trust.mayBeAsked)
    }

    @Test("is undecided until the write may be sent, and while only the Sentinels are missing")
    func undecided() {
        #expect(!ServerTrust(leaseMilliseconds: 500).isUndecided(now: at(1)))
        for isNamedBySentinels in [false, true] {
            var trust = ServerTrust(leaseMilliseconds: 500, isNamedBySentinels: isNamedBySentinels)
            #expect(trust.check(owedSince: at(100), heardAt: at(50), now: at(600)) == true)
            #expect(trust.isUndecided(now: at(90_000)))
            trust.connected(now: at(10_000))
            #expect(trust.isUndecided(now: at(11_099)) && !trust.awaitsSentinels)
            #expect(!trust.isUndecided(now: at(11_100)))
            trust.accepted(writeSentAt: at(11_100))
            #expect(trust.isUndecided(now: at(90_000)) == isNamedBySentinels)
            #expect(trust.awaitsSentinels == isNamedBySentinels)
        }
    }

    @Test("is lost again by a silence while it settles; the wait then begins anew")
    func silentAgain() {
        var trust = silent()
        trust.connected(now: at(10_000))
        #expect(trust.check(owedSince: nil, heardAt: at(10_000), now: at(11_100)) == false)
        #expect(trust.check(owedSince: at(11_100), heardAt: at(10_000), now: at(11_600)) == true)
        trust.accepted(writeSentAt: at(11_100))
        #expect(trust.state == .silent)
        trust.connected(now: at(20_000))
        #expect(trust.settlesAt == at(21_100))
    }
}
