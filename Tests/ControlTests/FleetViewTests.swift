import Affinity
import Configuration
import Foundation
import Logging
import Proxy
import Store
import Testing

@testable import Control

enum FleetSample {
    static func replica(
        _ name: String, configuration: String = "00000000000000aa", lease: FleetView.Lease = .live,
        standby: StandbyView = StandbyView(state: .synced), isSelf: Bool = false, heard: Double = 0.25,
        down: [String] = []
    ) -> FleetView.Replica {
        FleetView.Replica(
            name: name, instance: "i-\(name)", version: "1.2.3", configuration: configuration, lease: lease,
            standby: standby, isSelf: isSelf, heard: heard, down: down)
    }

    static let view = FleetView(
        replicas: [
            replica(
                "r2", configuration: "00000000000000bb", lease: .doubt,
                standby: StandbyView(state: .notSynced, reason: "cache"), down: ["shop/web-1", "shop/web-2"]),
            replica("r1", isSelf: true, heard: 0),
        ],
        store: FleetView.Store(isAvailable: true, isFailoverGuarded: false))
}

@Suite("The view of a fleet")
struct FleetViewTests {
    @Test("as JSON has every key, null where a thing is not known")
    func json() throws {
        #expect(
            try FleetSample.view.json() == """
                {"configurationsAgree":false,"replicas":[{"configuration":"00000000000000bb",\
                "down":["shop/web-1","shop/web-2"],"heard":0.25,"instance":"i-r2","lease":"doubt","name":"r2",\
                "self":false,"standby":{"reason":"cache","state":"not synced"},"version":"1.2.3"},{"configuration":"00000000000000aa","down":[],"heard":0,\
                "instance":"i-r1","lease":"live","name":"r1","self":true,"standby":{"state":"synced"},\
                "version":"1.2.3"}],\
                "store":{"available":true,"failoverGuarded":false,"primary":null,"sentinels":null}}
                """)
        var view = FleetSample.view
        view.store?.isFailoverGuarded = nil
        #expect(try view.json().contains("\"failoverGuarded\":null"))
        view.store?.primary = "10.0.0.7:6379"
        view.store?.sentinels = FleetView.Sentinels(configured: 3, answering: 2, agree: true)
        #expect(
            try view.json().contains(
                "\"primary\":\"10.0.0.7:6379\",\"sentinels\":{\"agree\":true,\"answering\":2,\"configured\":3}"))
        #expect(try FleetView(json: Array(view.json().utf8)) == view)
        view.store = nil
        #expect(try view.json().hasSuffix("\"store\":null}"))
    }

    @Test("is read as it was written", arguments: [nil, true, false])
    func readBack(_ guarded: Bool?) throws {
        var view = FleetSample.view
        view.store?.isFailoverGuarded = guarded
        #expect(try FleetView(json: Array(view.json().utf8)) == view)
        view.store = nil
        #expect(try FleetView(json: Array(view.json().utf8)) == view)
    }

    @Test(
        "is not read from anything else",
        arguments: ["", "null", "[]", "{}", "{\"replicas\":7}", "{\"replicas\":[{}],\"store\":null}", "<html>"])
    func unreadable(_ text: String) {
        #expect(throws: (any Error).self) { try FleetView(json: Array(text.utf8)) }
    }

    @Test("is sound where all agree and none is cut off")
    func soundness() {
        let own = FleetSample.replica("r1", isSelf: true)
        func view(_ other: FleetView.Replica) -> FleetView { FleetView(replicas: [own, other], store: nil) }
        #expect(view(FleetSample.replica("r2")).isSound)
        #expect(!view(FleetSample.replica("r2", configuration: "00000000000000bb")).isSound)
        for lease in [FleetView.Lease.doubt, .proving, .down] {
            #expect(!view(FleetSample.replica("r2", lease: lease)).isSound)
        }
        // A backend that is down is no trouble of the fleet's.
        #expect(view(FleetSample.replica("r2", down: ["shop/web-1"])).isSound)
        #expect(FleetView(replicas: [FleetSample.replica("r1", lease: .none, isSelf: true)], store: nil).isSound)
    }

    @Test("as a table marks who differs, and says what is to be done")
    func table() {
        #expect(
            "\(FleetTable(FleetSample.view))" == """
                NAME        VERSION  CONFIGURATION       LEASE  STANDBY             HEARD  DOWN
                r1 (asked)  1.2.3    00000000000000aa    live   synced              -      -
                r2          1.2.3    00000000000000bb *  doubt  not synced (cache)  0.3s   shop/web-1, shop/web-2

                * This configuration differs from that of the replica that was asked.
                The store is available.
                r2 does not know every session: the cache has no room for every session; raise `cache.entries`.
                A Redis failover may lose moves of sessions: if Redis has replicas, set min-replicas-to-write to their number, and min-replicas-max-lag.

                """)
        let own = FleetSample.replica("r1", lease: .none, standby: StandbyView(nil), isSelf: true)
        let alone = FleetView(replicas: [own], store: nil)
        #expect(
            "\(FleetTable(alone))" == """
                NAME        VERSION  CONFIGURATION     LEASE  STANDBY  HEARD  DOWN
                r1 (asked)  1.2.3    00000000000000aa  none   -        -      -

                All configurations are the same.
                No shared store is configured: sessions are kept in the memory of this replica.

                """)
    }

    @Test("as a table names the primary, and says how many Sentinels name one and whether they agree")
    func sentinelNotes() {
        func notes(answering: Int, agree: Bool, isAvailable: Bool = true) -> String {
            let store = FleetView.Store(
                isAvailable: isAvailable, isFailoverGuarded: true, primary: "[fd00::7]:6379",
                sentinels: .init(configured: 3, answering: answering, agree: agree))
            return "\(FleetTable(FleetView(replicas: [FleetSample.replica("r1", isSelf: true)], store: store)))"
        }
        #expect(notes(answering: 3, agree: true).contains("The store is available, primary [fd00::7]:6379.\n"))
        #expect(
            notes(answering: 2, agree: true).contains(
                "2 of 3 Sentinels name a primary, and a majority names the same one.\n"))
        let alone = notes(answering: 1, agree: false, isAvailable: false)
        #expect(alone.contains("The store is unavailable, primary [fd00::7]:6379.\n"))
        #expect(
            alone.contains(
                "1 of 3 Sentinels name a primary, and no majority names the same one: "
                    + "a failover is not followed until one does.\n"))
    }

    @Test("as a table says whether a failover of Redis may lose moves, also where that is not known")
    func failoverNotes() {
        func notes(_ isAvailable: Bool, _ isFailoverGuarded: Bool?) -> String {
            let store = FleetView.Store(isAvailable: isAvailable, isFailoverGuarded: isFailoverGuarded)
            return "\(FleetTable(FleetView(replicas: [FleetSample.replica("r1", isSelf: true)], store: store)))"
        }
        let isUnknown = "is unknown: this replica has not subscribed yet, or may not run CONFIG GET."
        #expect(notes(true, false).contains("set min-replicas-to-write to their number"))
        #expect(notes(false, false).contains("set min-replicas-to-write to their number"))
        #expect(notes(true, nil).contains(isUnknown))
        #expect(!notes(false, nil).contains("failover") && !notes(true, true).contains("failover"))
    }

    @Test("as a log says at the start what a failover of Redis may cost, and nothing if it is guarded")
    func failoverWarnings() throws {
        let warnings = try [FailoverGuard.off, .tooSmall(demanded: 1), .unknown].map { try "\(#require($0.warning))" }
        #expect(warnings[0].contains("(min-replicas-to-write is 0)"))
        #expect(warnings[1].contains("(min-replicas-to-write is below their number)"))
        #expect(warnings[2].contains("(the user may not run CONFIG GET)"))
        #expect(warnings.allSatisfy { $0.hasSuffix("hold across a failover.") })
        #expect(FailoverGuard.complete.warning == nil)
    }

    @Test("as a table lets no name act on a terminal, and shows any number")
    func hostileTable() {
        let strange = FleetSample.replica(
            "\u{1B}[2J\nr1", configuration: "\u{9B}x", heard: .infinity, down: ["a\u{202E}b/\u{7}"])
        let text = "\(FleetTable(FleetView(replicas: [strange], store: nil)))"
        #expect(text.unicodeScalars.allSatisfy { $0 == "\n" || (0x20..<0x7F).contains($0.value) })
        #expect(text.contains("\\u001b[2J\\nr1") && text.contains(" ? "))
    }

    @Test("of a replica without a shared store is this replica alone, which is sound")
    func dataPlane() async throws {
        let yaml = """
            entryPoints: { web: { address: "127.0.0.1:0" } }
            replica: { name: r1, threads: 1 }
            fleet: { secret: 0123456789abcdef }
            http: { services: { shop: { loadBalancer: { servers: [{ url: "http://127.0.0.1:9", name: web-1 }] } } } }
            """
        let configuration = try ReplicaConfiguration.read(yaml)
        let dataPlane = try await DataPlane.start(configuration, accessLog: nil, logger: Logger(label: "test"))
        let view = await dataPlane.fleet()
        let metrics = await dataPlane.snapshot()
        let services = await dataPlane.measure().services
        services[0].health.markDown(0)
        let viewOfTrouble = await dataPlane.fleet()
        await dataPlane.stop()
        let fingerprint = ConfigurationFingerprint(configuration, keys: FleetKeys(configuration.fleet))
        let own = try #require(view.replicas.first)
        #expect(view.replicas.count == 1 && view.store == nil && view.isSound)
        #expect(own.name == "r1" && own.isSelf && own.heard == 0 && own.lease == .none && own.down.isEmpty)
        #expect(own.version == Version.current && own.configuration == fingerprint.description)
        #expect(viewOfTrouble.replicas.map(\.down) == [["shop/web-1"]])
        #expect(viewOfTrouble.replicas.map(\.instance) == [own.instance])
        #expect(metrics.fleet == MetricsSnapshot.Fleet(replicas: 1, configurations: 1) && metrics.channel == nil)
    }
}
