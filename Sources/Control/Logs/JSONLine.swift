import Configuration

/// One JSON object on one line, written field by field. Any input bytes give one valid line, so that they cannot
/// mislead a terminal or a line-oriented program.
struct JSONLine {
    /// Ends with a line feed after `close` is called.
    private(set) var bytes: [UInt8] = []

    init() {
        bytes.reserveCapacity(768)
        bytes.append(UInt8(ascii: "{"))
    }

    mutating func close() {
        bytes.append(UInt8(ascii: "}"))
        bytes.append(UInt8(ascii: "\n"))
    }

    mutating func add(_ name: String, _ number: some FixedWidthInteger) {
        open(name)
        bytes.append(contentsOf: String(number).utf8)
    }

    mutating func add(_ name: String, _ text: String) {
        open(name)
        quote(text.utf8)
    }

    /// - Parameter text: bytes from the network; invalid UTF-8 becomes U+FFFD.
    mutating func add(_ name: String, _ text: UnsafeRawBufferPointer) {
        open(name)
        quote(text)
    }

    private mutating func open(_ name: String) {
        if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
        quote(name.utf8)
        bytes.append(UInt8(ascii: ":"))
    }

    private mutating func quote(_ text: some Collection<UInt8>) {
        bytes.append(UInt8(ascii: "\""))
        EscapedText.append(text, to: &bytes)
        bytes.append(UInt8(ascii: "\""))
    }
}
