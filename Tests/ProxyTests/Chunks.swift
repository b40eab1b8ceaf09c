/// A chunked body, read leniently: what a client makes of it, however it is cut into chunks.
struct Chunks: Equatable {
    var content = ""
    /// The field lines behind the last chunk.
    var trailers = ""

    /// Nil where the text is no chunked body, or is cut.
    init?(_ text: some StringProtocol) {
        var rest = Array(text.utf8)[...]
        while true {
            guard let line = Self.line(&rest) else { return nil }
            let digits = String(decoding: line, as: UTF8.self).prefix { $0.isHexDigit }
            guard let size = Int(digits, radix: 16) else { return nil }
            if size == 0 { break }
            guard rest.count >= size + 2 else { return nil }
            content += String(decoding: rest.prefix(size), as: UTF8.self)
            rest = rest.dropFirst(size)
            guard Self.line(&rest)?.isEmpty == true else { return nil }
        }
        while let line = Self.line(&rest) {
            if line.isEmpty {
                guard rest.isEmpty else { return nil }
                return
            }
            trailers += String(decoding: line, as: UTF8.self) + "\r\n"
        }
        return nil
    }

    /// Takes a line off the front, without its end.
    private static func line(_ rest: inout ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard let end = rest.firstIndex(of: UInt8(ascii: "\n")), rest[..<end].last == UInt8(ascii: "\r") else {
            return nil
        }
        defer { rest = rest[(end + 1)...] }
        return rest[..<(end - 1)]
    }
}
