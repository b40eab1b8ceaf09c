/// Says when a head that comes in pieces is worth scanning (again), so that a sender of single bytes costs work in
/// proportion to its bytes, not to their square.
///
/// Scan at the first read; if that is `.incomplete`, scan again only when `find` says so: when the first line or the
/// empty line that ends a head has come, when a limit is passed or a line is plainly malformed, and whenever the bytes
/// have doubled, so that nonsense is refused long before its head would end. The scanner's word is what counts; if it
/// still says `.incomplete`, go on. One value serves one head.
package struct HeadEnd: Sendable {
    private let limits: MessageLimits
    /// The bytes already searched.
    private var searched = 0
    private var lineStart = 0
    /// Lines ended so far, an empty first one not counted.
    private var lines = 0
    private var sectionStart = 0
    /// The number of bytes at which a scan is due in any case.
    private var nextScan = 128

    package init(limits: MessageLimits = MessageLimits()) {
        self.limits = limits.clamped
    }

    /// Whether `bytes`, all that has come of the head so far and possibly more, should be scanned now.
    package mutating func find(in bytes: UnsafeRawBufferPointer) -> Bool {
        guard let base = bytes.baseAddress else { return false }
        while searched < bytes.count {
            let index = ByteLanes.first(.lineFeed, in: base, from: searched, to: bytes.count)
            guard index < bytes.count else { break }
            searched = index &+ 1
            if endLine(at: index, base) { return true }
        }
        searched = max(searched, bytes.count)
        return passesLimit(at: searched) || isDue(searched)
    }

    /// Takes note of the line that ends with the LF at `index`; whether that decides about the head.
    private mutating func endLine(at index: Int, _ base: UnsafeRawPointer) -> Bool {
        guard index > lineStart, base.load(fromByteOffset: index &- 1, as: UInt8.self) == .carriageReturn else {
            return true
        }
        let isEmpty = index == lineStart &+ 1
        if isEmpty && lineStart > 0 { return true }
        // Judged where the CR stands, as the scanner does.
        if passesLimit(at: index &- 1) { return true }
        lineStart = index &+ 1
        if isEmpty { return false }
        lines &+= 1
        if lines == 1 {
            sectionStart = lineStart
            return true
        }
        return lines &- 1 > limits.fieldCount
    }

    /// Whether the line that goes on at `index`, or the section it is in, is longer than allowed.
    private func passesLimit(at index: Int) -> Bool {
        let length = index &- lineStart
        if lines == 0 { return length > limits.requestLine }
        return length > limits.field || index &- sectionStart > limits.fieldSection &- 2
    }

    private mutating func isDue(_ count: Int) -> Bool {
        guard count >= nextScan else { return false }
        nextScan = count &* 2
        return true
    }
}
