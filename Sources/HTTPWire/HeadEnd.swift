/// Decides when a head that arrives in pieces is worth scanning (again), so that a sender of single bytes costs work in
/// proportion to its bytes, not to their square.
///
/// Scan at the first read. If the result is `.incomplete`, scan again only when `find` returns true: when the first
/// line or the empty line that ends a head has arrived, when a limit is passed or a line is plainly malformed, and
/// whenever the number of bytes has doubled, so that garbage is refused long before its head would end. Only the
/// scanner's result counts; if it is still `.incomplete`, continue. Use one value per head.
package struct HeadEnd: Sendable {
    private let limits: MessageLimits
    /// The bytes already searched.
    private var searched = 0
    private var lineStart = 0
    /// Lines ended so far, not counting an empty first line.
    private var lines = 0
    private var sectionStart = 0
    /// The number of bytes at which a scan is due regardless of content.
    private var nextScan = 128

    package init(limits: MessageLimits = MessageLimits()) {
        self.limits = limits.clamped
    }

    /// Whether `bytes`, everything received of the head so far and possibly more, should be scanned now.
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

    /// Records the line that ends with the LF at `index`. Returns whether a scan is due.
    private mutating func endLine(at index: Int, _ base: UnsafeRawPointer) -> Bool {
        guard index > lineStart, base.load(fromByteOffset: index &- 1, as: UInt8.self) == .carriageReturn else {
            return true
        }
        let isEmpty = index == lineStart &+ 1
        if isEmpty && lineStart > 0 { return true }
        // Measured at the CR, as the scanner does.
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

    /// Whether the line that continues at `index`, or its section, is longer than allowed.
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
