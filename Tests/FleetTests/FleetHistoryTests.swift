import LimpetTestKit
import Testing

/// Histories written by hand, good and bad.
@Suite("The checker of histories")
struct FleetHistoryTests {
    private static func request(
        _ start: Double, _ replica: String, _ backend: String, _ epoch: UInt64?, _ provenance: String = "cached",
        session: String = "abcdefghij", took: Double = 0.001, target: String = "/"
    ) -> RoutedRequest {
        RoutedRequest(
            start: start, end: start + took, replica: replica, fingerprint: session, backend: backend,
            provenance: provenance, epoch: epoch, target: target)
    }

    private static let move = [
        request(1, "r0", "b0", 1, "claimed"), request(1.1, "r1", "b0", 1, "stored"),
        request(2, "r0", "b1", 2, "rebound"),
    ]

    @Test("a move that others follow within the bound is well")
    func good() {
        let history = FleetHistory(
            Self.move + [
                Self.request(2.3, "r1", "b0", 1), Self.request(2.6, "r1", "b1", 2),
                Self.request(2.7, "r2", "b2", 1, session: "another000"),
                Self.request(3, "r2", "b2", nil, "balanced"),
            ])
        #expect(history.tornEpochs().isEmpty)
        #expect(history.staleDecisions(bound: 0.5).isEmpty)
        #expect(history.disagreements(since: 2.5).isEmpty)
        #expect(history.epochCount == 6)
    }

    @Test("two backends in one epoch are found, detours and hashing apart")
    func torn() {
        let other = Self.request(2.1, "r1", "b2", 2, "rebound")
        #expect(FleetHistory(Self.move + [other]).tornEpochs().map(\.rule) == [.oneBackendPerEpoch])
        for provenance in ["detoured", "hashed"] {
            let other = Self.request(2.1, "r1", "b2", 2, provenance)
            #expect(FleetHistory(Self.move + [other]).tornEpochs().isEmpty)
        }
        #expect(FleetHistory(Self.move + [Self.request(2.1, "r1", "b2", 2, "hinted")]).tornEpochs().count == 1)
    }

    @Test("an outage excuses two backends only where it lost records, and only between before and after")
    func tornInOutage() {
        let after = [Self.request(9, "r1", "b2", 1, "claimed"), Self.request(10, "r1", "b0", 2, "rebound")]
        func faults(_ more: [RoutedRequest], loses: Bool) -> Int {
            let outage = FleetHistory.Outage(begin: 4, end: 8, losesRecords: loses)
            return FleetHistory(Self.move + after + more, outages: [outage]).tornEpochs().count
        }
        #expect(faults([], loses: false) == 2)
        #expect(faults([], loses: true) == 0)
        #expect(faults([Self.request(5, "r1", "b2", 2, "rebound")], loses: true) == 0)
        #expect(faults([Self.request(5, "r1", "b2", 2, "rebound")], loses: false) == 3)
        #expect(faults([Self.request(11, "r0", "b1", 1)], loses: true) == 1)
    }

    @Test("a decision on an old binding later than the bound is found; the bound counts from the move's end")
    func stale() {
        func faults(_ more: RoutedRequest, outages: [FleetHistory.Outage] = []) -> [FleetHistory.Fault] {
            FleetHistory(Self.move + [more], outages: outages).staleDecisions(bound: 0.5)
        }
        #expect(faults(Self.request(2.4, "r1", "b0", 1)).isEmpty)
        let late = faults(Self.request(2.6, "r1", "b0", 1))
        #expect(late.map(\.rule) == [.staleDecision] && late[0].description.contains("at r1, 599 ms after"))
        #expect(faults(Self.request(2.6, "r1", "b0", 1, "stored")).count == 1)
        #expect(faults(Self.request(2.6, "r1", "b0", 1, "hinted")).isEmpty)
        #expect(faults(Self.request(2.6, "r1", "b0", 1, "detoured")).isEmpty)
        #expect(faults(Self.request(2.6, "r1", "b0", 1), outages: [.init(begin: 2.55, end: 3)]).isEmpty)
        #expect(faults(Self.request(2.6, "r1", "b0", 1), outages: [.init(begin: 2.7, end: 3)]).count == 1)
        // What was moved in an outage others learn when it is over.
        #expect(faults(Self.request(2.6, "r1", "b0", 1), outages: [.init(begin: 1.9, end: 2.1)]).isEmpty)
        // A slow exchange proves no more than that it was decided in time.
        #expect(faults(Self.request(2.4, "r1", "b0", 1, took: 5)).isEmpty)
        let slow = [Self.request(2, "r0", "b1", 2, "rebound", took: 2), Self.request(4.4, "r1", "b0", 1)]
        #expect(FleetHistory(slow).staleDecisions(bound: 0.5).isEmpty)
        #expect(FleetHistory(slow).staleDecisions(bound: 0.3).count == 1)
    }

    @Test("replicas that end at different backends or epochs are found; what was before, and detours, do not count")
    func disagreement() {
        func faults(_ more: [RoutedRequest]) -> [FleetHistory.Fault] {
            FleetHistory(Self.move + more).disagreements(since: 3)
        }
        let settled = [Self.request(3.1, "r0", "b1", 2), Self.request(3.2, "r1", "b0", 1)]
        #expect(faults(settled).map(\.rule) == [.noConvergence])
        #expect(faults(settled + [Self.request(3.3, "r1", "b1", 2)]).isEmpty)
        #expect(faults(settled + [Self.request(3.3, "r1", "b1", 3)]).count == 1)
        #expect(faults([settled[0], Self.request(3.3, "r1", "b0", nil, "detoured")]).isEmpty)
        #expect(faults([]).isEmpty)
    }

    @Test("what the store has otherwise, or has not, is found; each of its hashes is one backend")
    func recorded() {
        func record(_ hash: UInt64, _ epoch: UInt64) -> String { String(hash << 24 | epoch) }
        let requests = [
            Self.request(3.1, "r0", "b1", 2), Self.request(3.2, "r1", "b1", 2),
            Self.request(3.3, "r0", "b0", 1, session: "another000"),
        ]
        func faults(_ first: String?, _ second: String?) -> [FleetHistory.Fault] {
            let records = ["ns:abcdefghijKLMNOPQRSTUV": first, "ns:another000KLMNOPQRSTUV": second]
            return FleetHistory(requests).differences(from: records.compactMapValues(\.self), since: 3)
        }
        #expect(faults(record(77, 2), record(88, 1)).isEmpty)
        #expect(faults(record(77, 2) + ":1700000000", record(88, 1)).isEmpty)
        #expect(faults(record(77, 2), record(77, 1)).map(\.rule) == [.notAsRecorded])
        #expect(faults(record(77, 3), record(88, 1)).count == 2)
        #expect(faults(record(77, 2), nil).count == 1)
        #expect(faults("strange", record(88, 1)).count == 1)
    }

    @Test("what a client saw and no log says is found")
    func seen() {
        let history = FleetHistory([Self.request(1, "r0", "b0", 1, target: "/1")])
        #expect(history.differences(fromSeen: ["/1": "b0"]).isEmpty)
        #expect(history.differences(fromSeen: ["/1": "b1"]).map(\.rule) == [.notAsSeen])
        #expect(history.differences(fromSeen: ["/2": "b0"]).map(\.rule) == [.notAsSeen])
    }

    @Test("an access log is read; lines without a session are left out, strange ones refused")
    func reading() throws {
        let log = """
            {"time":"2026-01-31T23:59:59.000250Z","Duration":1000000,"ServiceName":"app","Backend":"b0",\
            "RequestPath":"/x","DownstreamStatus":200,"Provenance":"rebound","SessionFingerprint":"abcdefghij","Epoch":2}
            {"time":"2026-01-31T23:59:59.000250Z","Duration":1000000,"DownstreamStatus":404}
            {"time":"2026-02-01T00:00:00.500000Z","Duration":0,"Backend":"b1","DownstreamStatus":200,\
            "Provenance":"hashed","SessionFingerprint":"abcdefghij"}

            """
        let requests = try RoutedRequest.read(log: log, of: "r1")
        let end = 1_769_903_999.000250
        #expect(
            requests == [
                RoutedRequest(
                    start: end - 0.001, end: end, replica: "r1", fingerprint: "abcdefghij", backend: "b0",
                    provenance: "rebound", epoch: 2, target: "/x"),
                RoutedRequest(
                    start: end + 1.49975, end: end + 1.49975, replica: "r1", fingerprint: "abcdefghij", backend: "b1",
                    provenance: "hashed", epoch: nil, target: ""),
            ])
        #expect(throws: (any Error).self) { try RoutedRequest.read(log: "{\"time\":", of: "r1") }
    }
}
