/// A message on the wire, in one line of ASCII:
///
///     <version of the format> <instance> <sequence> <configuration> <interval> <lease>
///     <name> <version>[ <verdict>]...
///
/// where a verdict is `<service>.<backend>.<state>[!<alarm>][@<instance>.<number>]...`, with `+` instead of `!`
/// if the alarm is joined. Numbers are in base 64; the state of a lease or of a verdict is one letter.
extension FleetMessage {
    private static let formatVersion: UInt64 = 1
    private static let fieldCount = 8
    private static let space = UInt8(ascii: " ")
    private static let dot = UInt8(ascii: ".")
    private static let bang = UInt8(ascii: "!")
    private static let plus = UInt8(ascii: "+")
    private static let at = UInt8(ascii: "@")

    /// The text of the message. Verdicts that do not fit are left out, the last ones first.
    package func encoded() -> [UInt8] {
        var text: [UInt8] = []
        let numbers = [
            Self.formatVersion, sender.instance, sequence, sender.configuration, UInt64(clamping: intervalMilliseconds),
        ]
        for number in numbers {
            FleetText.append(number, to: &text)
            text.append(Self.space)
        }
        text.append(lease.rawValue)
        for name in [sender.name, sender.version] {
            text.append(Self.space)
            text += name.utf8
        }
        for verdict in verdicts.prefix(Self.verdictsMax) {
            let piece = Self.encoded(verdict)
            guard text.count + piece.count <= Self.sizeMax else { break }
            text += piece
        }
        return text
    }

    private static func encoded(_ verdict: Verdict) -> [UInt8] {
        var text = [space]
        FleetText.append(verdict.service.bits, to: &text)
        text.append(dot)
        FleetText.append(UInt64(verdict.backend.bits), to: &text)
        text += [dot, verdict.state.rawValue]
        if let alarm = verdict.alarm {
            text.append(alarm.isJoined ? plus : bang)
            FleetText.append(UInt64(alarm.number), to: &text)
        }
        for round in verdict.answers.prefix(answersMax) {
            text.append(at)
            FleetText.append(round.instance, to: &text)
            text.append(dot)
            FleetText.append(UInt64(round.number), to: &text)
        }
        return text
    }

    /// Parses a message; nil if no replica of this format would send these bytes.
    package init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count <= Self.sizeMax else { return nil }
        let words = bytes.split(
            separator: Self.space, maxSplits: Self.fieldCount + Self.verdictsMax, omittingEmptySubsequences: false)
        guard words.count >= Self.fieldCount, words.count <= Self.fieldCount + Self.verdictsMax,
            FleetText.number(words[0]) == Self.formatVersion, let instance = FleetText.number(words[1]),
            let sequence = FleetText.number(words[2]), let configuration = FleetText.number(words[3]),
            let intervalMilliseconds = FleetText.number(words[4], max: UInt64(Self.intervalMaxMilliseconds)),
            words[5].count == 1,
            let lease = words[5].first.flatMap(Lease.init), let name = FleetText.name(words[6]),
            let version = FleetText.name(words[7])
        else { return nil }
        var verdicts: [Verdict] = []
        for word in words.dropFirst(Self.fieldCount) {
            guard let verdict = Self.verdict(word) else { return nil }
            verdicts.append(verdict)
        }
        self.init(
            sender: Sender(instance: instance, configuration: configuration, name: name, version: version),
            sequence: sequence, lease: lease, intervalMilliseconds: Int64(intervalMilliseconds), verdicts: verdicts)
    }

    private static func verdict(_ word: Slice<UnsafeRawBufferPointer>) -> Verdict? {
        let parts = word.split(separator: at, omittingEmptySubsequences: false)
        guard let head = parts.first, parts.count - 1 <= answersMax else { return nil }
        let halves = head.split(maxSplits: 1, omittingEmptySubsequences: false) { $0 == bang || $0 == plus }
        let names = halves[0].split(separator: dot, omittingEmptySubsequences: false)
        guard names.count == 3, let service = FleetText.number(names[0], max: 1 << ServiceHash.bitCount - 1),
            let backend = FleetText.number(names[1], max: 1 << UInt64(BackendHash.bitCount) - 1), backend > 0,
            names[2].count == 1, let state = names[2].first.flatMap(Verdict.State.init)
        else { return nil }
        var alarm: Verdict.Alarm?
        if halves.count == 2 {
            guard state != .up, let number = number32(halves[1]) else { return nil }
            alarm = .init(number: number, isJoined: head.contains(plus))
        }
        var answers: [Round] = []
        for part in parts.dropFirst() {
            let halves = part.split(separator: dot, omittingEmptySubsequences: false)
            guard halves.count == 2, let instance = FleetText.number(halves[0]), let number = number32(halves[1])
            else { return nil }
            answers.append(Round(instance: instance, number: number))
        }
        return Verdict(
            service: ServiceHash(bits: service), backend: BackendHash(bits: UInt32(truncatingIfNeeded: backend)),
            state: state, alarm: alarm, answers: answers)
    }

    private static func number32(_ text: Slice<UnsafeRawBufferPointer>) -> UInt32? {
        FleetText.number(text, max: UInt64(UInt32.max)).map { UInt32(truncatingIfNeeded: $0) }
    }
}
