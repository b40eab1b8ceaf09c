import Configuration

/// One JSON object on one line, written field by field. Whatever bytes go in, one valid line comes out: no terminal and
/// no line-oriented program can be misled by it.
struct JSONLine {
    /// Ends with a line feed once `close` was called.
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

    /// - Parameter text: bytes from the network; what is no UTF-8 becomes U+FFFD.
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
