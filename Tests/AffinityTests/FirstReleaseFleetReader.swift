/// Reads messages between replicas exactly as the first release does. It is frozen: a change to it makes the tests
/// worthless that replicas of two releases understand each other.
struct FirstReleaseFleetReader {
    struct Message: Equatable {
        var instance: UInt64
        var sequence: UInt64
        var configuration: UInt64
        var interval: UInt64
        var lease: UInt8
        var name: String
        var version: String
        var verdicts: [String]
    }

    private static let leases = Set("LDPXG".utf8)
    private static let states = Set("udp".utf8)

    /// Nil if that release refuses the message as a whole.
    static func read(_ bytes: [UInt8]) -> Message? {
        guard bytes.count <= 16 * 1024 else { return nil }
        let words = bytes.split(separator: UInt8(ascii: " "), maxSplits: 8 + 256, omittingEmptySubsequences: false)
        guard words.count >= 8, words.count <= 8 + 256, number(words[0]) == 1, let instance = number(words[1]),
            let sequence = number(words[2]), let configuration = number(words[3]),
            let interval = number(words[4], max: 60_000), words[5].count == 1, let lease = words[5].first,
            leases.contains(lease), let sender = word(words[6]), let version = word(words[7])
        else { return nil }
        guard words.dropFirst(8).allSatisfy(isVerdict) else { return nil }
        return Message(
            instance: instance, sequence: sequence, configuration: configuration, interval: interval, lease: lease,
            name: sender, version: version, verdicts: words.dropFirst(8).map { String(decoding: $0, as: UTF8.self) })
    }

    private static func isVerdict(_ word: ArraySlice<UInt8>) -> Bool {
        let parts = word.split(separator: UInt8(ascii: "@"), omittingEmptySubsequences: false)
        guard let head = parts.first, parts.count - 1 <= 8 else { return false }
        let halves = head.split(maxSplits: 1, omittingEmptySubsequences: false) {
            $0 == UInt8(ascii: "!") || $0 == UInt8(ascii: "+")
        }
        let names = halves[0].split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard names.count == 3, number(names[0], max: 1 << 48 - 1) != nil,
            let backend = number(names[1], max: 1 << 29 - 1), backend > 0, names[2].count == 1,
            let state = names[2].first, states.contains(state)
        else { return false }
        if halves.count == 2 {
            guard state != UInt8(ascii: "u"), number(halves[1], max: UInt64(UInt32.max)) != nil else { return false }
        }
        return parts.dropFirst().allSatisfy { part in
            let halves = part.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
            return halves.count == 2 && number(halves[0]) != nil && number(halves[1], max: UInt64(UInt32.max)) != nil
        }
    }

    private static func number(_ text: ArraySlice<UInt8>, max: UInt64 = .max) -> UInt64? {
        guard let first = text.first, text.count == 1 || first != UInt8(ascii: "A") else { return nil }
        var number: UInt64 = 0
        for letter in text {
            guard let digit = value(of: letter), number >> 58 == 0 else { return nil }
            number = number << 6 | digit
        }
        return number <= max ? number : nil
    }

    private static func word(_ text: ArraySlice<UInt8>) -> String? {
        guard !text.isEmpty, text.count <= 64,
            text.allSatisfy({ value(of: $0) != nil || ".:+@/".utf8.contains($0) })
        else { return nil }
        return String(decoding: text, as: UTF8.self)
    }

    private static func value(of letter: UInt8) -> UInt64? {
        switch letter {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt64(letter - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt64(letter - UInt8(ascii: "a")) + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(letter - UInt8(ascii: "0")) + 52
        case UInt8(ascii: "-"): 62
        case UInt8(ascii: "_"): 63
        default: nil
        }
    }
}
