import Affinity
import Testing

@testable import Store

@Suite("The text of announcements")
struct AnnouncementTextTests {
    private func parse(_ text: String) -> Announcement? { parse(Array(text.utf8)) }
    private func parse(_ bytes: [UInt8]) -> Announcement? { bytes.withUnsafeBytes { Announcement($0) } }

    private static let key = Fingerprint.test(7).text
    private static let life = Announcement.lifetimeMaxMilliseconds

    @Test("What is of the form is read, to the extremes")
    func extremes() {
        #expect(parse("0 0") == Announcement(instance: 0, hasLeftOut: false, items: []))
        #expect(parse("18446744073709551615 1") == Announcement(instance: .max, hasLeftOut: true, items: []))
        let least = StoredRecord(Binding(backend: .tombstone, epoch: 1), remainingMilliseconds: 1)
        let greatest = StoredRecord(
            Binding(backend: BackendHash(bits: .max), epoch: Binding.epochMax),
            remainingMilliseconds: Self.life, createdAtSeconds: .max)
        let items = (0..<64).map {
            Announcement.Item(Fingerprint(high: .max, low: $0), $0.isMultiple(of: 2) ? greatest : least)
        }
        let announcement = Announcement(instance: .max, hasLeftOut: true, items: items)
        #expect(parse(announcement.text) == announcement)
        let all = Announcement(
            instance: .max, hasLeftOut: true, items: items.map { Announcement.Item($0.fingerprint, greatest) })
        #expect(parse(all.text) == all)
        #expect(all.text.utf8.count < 16 * 1024)
        let tooMany = Announcement(
            instance: 1, hasLeftOut: true, items: (0...64).map { Announcement.Item(.test($0), least) })
        #expect(parse(tooMany.text) == nil)
    }

    @Test(
        "What is not exactly of the form is nothing",
        arguments: [
            "", " ", "1", "1 ", " 1 0", "1 0 ", "1  0", "01 0", "+1 0", "-1 0", "1 00", "1 01", "1 2", "1 +1", "x 0",
            "18446744073709551616 0", "99999999999999999999 0", "100000000000000000000 0", "1 0\n", "1\t0",
            "1 0 \(key)", "1 0 \(key) 16777217", "1 0 \(key) 16777217 ", "1 0 \(key) 16777217 5 ",
            "1 0 \(key) 16777217 5 \(key)", "1 0  \(key) 16777217 5", "1 0 \(key)  16777217 5",
            "1 0 \(key) 16777217  5", "1 0 \(key) 16777217 0", "1 0 \(key) 16777217 05", "1 0 \(key) 16777217 -5",
            "1 0 \(key) 16777217 +5", "1 0 \(key) 16777217 5x", "1 0 \(key) 16777217 1e3",
            "1 0 \(key) 16777217 \(life + 1)", "1 0 \(key) 16777217 18446744073709551615",
            "1 0 \(key) 16777217 18446744073709551617", "1 0 \(key) 016777217 5", "1 0 \(key) +16777217 5",
            "1 0 \(key) 0 5", "1 0 \(key) 16777216 5", "1 0 \(key) \(Binding.epochMax + 1) 5",
            "1 0 \(key) 9007199254740993 5", "1 0 \(key) hello 5", "1 0 \(key) 16777217: 5", "1 0 \(key) 16777217:0 5",
            "1 0 \(key) 16777217:4294967296 5", "1 0 \(key.dropLast()) 16777217 5", "1 0 \(key)A 16777217 5",
            "1 0 \(key.dropLast())B 16777217 5", "1 0 \(key.dropLast())! 16777217 5", "1 0 ä 16777217 5",
            "1 0 \(key.dropLast())\u{0} 16777217 5", "1 0 \(key) 16777217 ٥", "1 0 \(key) \(key) 5",
        ])
    func malformed(_ text: String) {
        #expect(parse(text) == nil)
        #expect(parse("1 0 \(Self.key) 16777217 5") != nil)
    }

    /// A text that is accepted is what the announcement that was read from it would be written as: nothing else is read
    /// into it.
    private func check(_ bytes: [UInt8]) -> Bool {
        guard let announcement = parse(bytes) else { return false }
        #expect(Array(announcement.text.utf8) == bytes)
        #expect(announcement.items.count <= Announcement.recordsMax)
        for item in announcement.items {
            #expect((1...Self.life).contains(item.record.remainingMilliseconds))
            #expect(Binding(record: item.record.binding.record) == item.record.binding)
        }
        return true
    }

    @Test("A message that is changed at random is read as it is written, or not at all")
    func mutations() {
        var random = SplitMix(seed: 11)
        let alphabet = Array("0123456789 :ABab-_+\r\n\u{0}\u{7F}".utf8) + [0x80, 0xFF]
        var accepted = 0
        for _ in 0..<20_000 {
            var bytes = Array(Announcement.random(&random).text.utf8)
            for _ in 0...(random.next() % 4) {
                let place = Int(random.next() % UInt64(bytes.count))
                let byte = alphabet[Int(random.next() % UInt64(alphabet.count))]
                switch random.next() % 6 {
                case 0: bytes.insert(byte, at: place)
                case 1 where bytes.count > 1: bytes.remove(at: place)
                case 2: bytes = Array(bytes.prefix(max(1, place)))
                case 3: bytes += bytes[place...]
                case 4: bytes.swapAt(place, Int(random.next() % UInt64(bytes.count)))
                default: bytes[place] = byte
                }
            }
            accepted += check(bytes) ? 1 : 0
        }
        // Some changes give another message that is of the form.
        #expect((100..<15_000).contains(accepted))
    }

    @Test("Bytes at random are not read as anything else than they are")
    func noise() {
        var random = SplitMix(seed: 12)
        let alphabet = Array("01 :A".utf8)
        for _ in 0..<20_000 {
            let bytes = (0..<Int(random.next() % 40)).map { _ in alphabet[Int(random.next() % UInt64(alphabet.count))] }
            _ = check(bytes)
        }
    }
}

extension Announcement {
    /// The form that the script publishes.
    fileprivate var text: String {
        items.reduce(into: "\(instance) \(hasLeftOut ? 1 : 0)") { text, item in
            let suffix = item.record.createdAtSeconds.map { ":\($0)" } ?? ""
            text += " \(item.fingerprint.text) \(item.record.binding.record)\(suffix) "
            text += "\(item.record.remainingMilliseconds)"
        }
    }

    fileprivate static func random(_ random: inout SplitMix) -> Announcement {
        let items = (0..<random.next() % 4).map { _ in
            let epoch = UInt32(truncatingIfNeeded: random.next() % UInt64(Binding.epochMax)) + 1
            let binding = Binding(backend: BackendHash(bits: UInt32(truncatingIfNeeded: random.next())), epoch: epoch)
            let life = Int64(random.next() % UInt64(lifetimeMaxMilliseconds)) + 1
            let createdAtSeconds = random.next() % 2 == 0 ? nil : UInt32(truncatingIfNeeded: random.next() | 1)
            return Item(
                Fingerprint(high: random.next(), low: random.next()),
                StoredRecord(binding, remainingMilliseconds: life, createdAtSeconds: createdAtSeconds))
        }
        return Announcement(instance: random.next(), hasLeftOut: random.next() % 2 == 0, items: items)
    }
}
