import Testing

@testable import Affinity

@Suite("Messages between replicas")
struct FleetMessageTests {
    private static func random(_ random: inout Random) -> FleetMessage {
        let verdicts = (0..<Int.random(in: 0...6, using: &random)).map { _ in
            let state = [FleetMessage.Verdict.State.up, .down, .unsure].randomElement(using: &random) ?? .up
            let number = UInt32.random(in: 0...(.max), using: &random)
            return FleetMessage.Verdict(
                service: ServiceHash(bits: random.next()),
                backend: BackendHash(bits: UInt32.random(in: 1..<1 << 29, using: &random)), state: state,
                alarm: state == .up || Bool.random(using: &random)
                    ? nil : .init(number: number, isJoined: Bool.random(using: &random)),
                answers: (0..<Int.random(in: 0...8, using: &random)).map { _ in
                    .init(instance: random.next(), number: UInt32.random(in: 0...(.max), using: &random))
                })
        }
        return FleetMessage(
            sender: .init(instance: random.next(), configuration: random.next(), name: "web-1.example", version: "0.1"),
            sequence: random.next() >> UInt64.random(in: 0..<64, using: &random),
            lease: [.live, .doubt, .proving, .lost, .left].randomElement(using: &random) ?? .live,
            intervalMilliseconds: Int64.random(in: 0...FleetMessage.intervalMaxMilliseconds, using: &random),
            verdicts: verdicts)
    }

    private static func decode(_ bytes: [UInt8]) -> FleetMessage? { bytes.withUnsafeBytes { FleetMessage($0) } }

    /// Of `fleet-messages.csv`: `<service>:<backend>:<state>:<alarm>:<number>:<instance>.<number>;…`.
    private static func verdict(_ text: Substring) throws -> FleetMessage.Verdict {
        typealias State = FleetMessage.Verdict.State
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        let states: [Substring: State] = ["up": .up, "down": .down, "unsure": .unsure]
        return FleetMessage.Verdict(
            service: ServiceHash(bits: try #require(UInt64(parts[0]))),
            backend: BackendHash(bits: try #require(UInt32(parts[1]))), state: try #require(states[parts[2]]),
            alarm: UInt32(parts[4]).map { .init(number: $0, isJoined: parts[3] == "joined") },
            answers: try parts[5].split(separator: ";").map { round in
                let halves = round.split(separator: ".")
                return .init(instance: try #require(UInt64(halves[0])), number: try #require(UInt32(halves[1])))
            })
    }

    @Test("messages of the release before are read, and the same is written for what they say")
    func golden() throws {
        let leases: [Substring: FleetMessage.Lease] = [
            "live": .live, "doubt": .doubt, "proving": .proving, "lost": .lost, "left": .left,
        ]
        for row in try Golden.rows("fleet-messages.csv") {
            let message = FleetMessage(
                sender: .init(
                    instance: try #require(UInt64(row[1])), configuration: try #require(UInt64(row[3])),
                    name: String(row[6]), version: String(row[7])),
                sequence: try #require(UInt64(row[2])), lease: try #require(leases[row[5]]),
                intervalMilliseconds: try #require(Int64(row[4])),
                verdicts: try row[8].split(separator: "|").map(Self.verdict))
            #expect(Self.decode(Array(row[0].utf8)) == message, "\(row[0])")
            #expect(String(decoding: message.encoded(), as: UTF8.self) == row[0])
        }
    }

    @Test("a message that is read is the one that was written")
    func roundTrip() {
        var random = Random(seed: 1)
        for _ in 0..<2000 {
            let message = Self.random(&random)
            #expect(Self.decode(message.encoded()) == message)
        }
    }

    @Test("every cut and every changed byte gives no message, or one that reads back as itself")
    func damaged() {
        var random = Random(seed: 2)
        for _ in 0..<15 {
            let bytes = Self.random(&random).encoded()
            for length in 0..<bytes.count {
                if let message = Self.decode(Array(bytes.prefix(length))) {
                    #expect(message.encoded() == Array(bytes.prefix(length)))
                }
            }
            for index in bytes.indices {
                var damaged = bytes
                damaged[index] ^= UInt8.random(in: 1...255, using: &random)
                if let message = Self.decode(damaged) { #expect(message.encoded() == damaged) }
            }
        }
    }

    @Test("noise is no message")
    func noise() {
        var random = Random(seed: 3)
        for _ in 0..<2000 {
            let bytes = (0..<Int.random(in: 0...200, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            #expect(Self.decode(bytes) == nil)
        }
    }

    @Test(
        "what no replica would write is refused",
        arguments: [
            "", "1", "2 B B B Po L r v", "1 B B B Po L r", "1 B B B Po L r v ", "1  B B Po L r v", "1 AB B B Po L r v",
            "1 B B B Po Q r v", "1 B B B Po LL r v", "1 B B B Po L r/é v", "1 B B B ____________ L r v",
            "1 B B B Po L r v B.A.d", "1 B B B Po L r v B.B.x", "1 B B B Po L r v B.B.u!B", "1 B B B Po L r v B.B.d!",
            "1 B B B Po L r v B.B.d@B", "1 B B B Po L r v B.B.d@B.______", "1 B B B Po L r v B.B.d!B!B",
            "1 B B B Po L r v B.__________.d", "1 B B B PoAA L r v",
        ])
    func refused(text: String) {
        let written = text.replacing(/^1/, with: "B")
        #expect(Self.decode(Array(written.utf8)) == nil)
    }

    @Test("a message of the simplest kind is read, and takes tens of bytes")
    func simplest() throws {
        let message = try #require(Self.decode(Array("B B B B Po L r v B.B.d!B".utf8)))
        #expect(message.verdicts.first?.alarm == .init(number: 1, isJoined: false))
        let presence = FleetMessage(
            sender: .init(instance: .max, configuration: .max, name: "limpet-7f9c4", version: "1.0.0"),
            sequence: 100_000,
            lease: .live, intervalMilliseconds: 1000, verdicts: [])
        #expect(presence.encoded().count < 64)
    }

    @Test("names for people are cut and cleaned, so that no name breaks a message")
    func names() {
        let sender = FleetMessage.Sender(
            instance: 1, configuration: 2, name: "a b\r\n<\u{e9}>" + String(repeating: "x", count: 100), version: "")
        #expect(sender.name.hasPrefix("a_b____"))
        #expect(sender.name.utf8.count == 64 && sender.version == "_")
        let message = FleetMessage(sender: sender, sequence: 1, lease: .live, intervalMilliseconds: 1000, verdicts: [])
        #expect(Self.decode(message.encoded()) == message)
    }

    @Test("no message is longer or holds more verdicts than one that is read")
    func bounded() throws {
        let rounds = (0..<8).map { FleetMessage.Round(instance: .max - $0, number: .max) }
        for (count, results) in [(1000, 0), (1000, 8)] {
            let message = FleetMessage(
                sender: .init(instance: .max, configuration: .max, name: "r", version: "v"), sequence: .max,
                lease: .live,
                intervalMilliseconds: 1000,
                verdicts: (0..<count).map {
                    .init(
                        service: ServiceHash(bits: .max), backend: BackendHash(bits: UInt32($0 + 1)), state: .down,
                        alarm: .init(number: .max, isJoined: false), answers: Array(rounds.prefix(results)))
                })
            let bytes = message.encoded()
            let read = try #require(Self.decode(bytes))
            #expect(bytes.count <= FleetMessage.sizeMax && read.verdicts.count <= FleetMessage.verdictsMax)
            #expect(read.verdicts == Array(message.verdicts.prefix(read.verdicts.count)) && read.verdicts.count > 50)
        }
        let long = Array(repeating: UInt8(ascii: "B"), count: FleetMessage.sizeMax + 1)
        #expect(Self.decode(long) == nil)
    }

    @Test("a service's hash depends on its name and the key, and is never that of a backend of the name")
    func serviceHash() {
        let (first, second) = (FingerprintKey(k0: 1, k1: 2), FingerprintKey(k0: 1, k1: 3))
        #expect(ServiceHash.of(name: "shop", key: first) == ServiceHash.of(name: "shop", key: first))
        #expect(ServiceHash.of(name: "shop", key: first) != ServiceHash.of(name: "shop", key: second))
        #expect(ServiceHash.of(name: "shop", key: first) != ServiceHash.of(name: "shop2", key: first))
        let backend = BackendName("shop", key: first)
        #expect(ServiceHash.of(name: "shop", key: first).bits >> 19 != UInt64(backend.hash.bits))
    }
}
