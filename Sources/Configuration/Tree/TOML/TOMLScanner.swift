/// The bytes of a TOML text, and a current position.
struct TOMLScanner {
    struct Key {
        let name: String
        let place: Diagnostic.Place
    }

    private let bytes: [UInt8]
    private var position: Int
    private var line = 1
    /// A position on the current line whose column is known: lines may be long, and columns are computed often.
    private var mark: (position: Int, column: Int)

    init(_ text: String) {
        bytes = Array(text.utf8)
        position = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
        mark = (position, 1)
    }

    var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    /// Columns count Unicode scalars.
    private var place: Diagnostic.Place {
        let before = bytes[mark.position..<position].reduce(0) { $0 + ($1 & 0xC0 == 0x80 ? 0 : 1) }
        return Diagnostic.Place(line: line, column: mark.column + before)
    }

    mutating func here() -> Diagnostic.Place {
        let place = place
        mark = (position, place.column)
        return place
    }

    func error(_ message: String) -> TOMLError { TOMLError(message: message, place: place) }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard let byte = peek, UInt32(byte) == character.value else { return false }
        position += 1
        return true
    }

    // MARK: Space

    mutating func skipBlanks() {
        while peek == 0x20 || peek == 0x09 { position += 1 }
    }

    /// Blanks, line ends and comments.
    mutating func skipBlankLines() throws(TOMLError) {
        repeat {
            skipBlanks()
            try skipComment()
        } while takeLineEnd()
    }

    /// After a key/value pair or a header, only a comment may follow on the same line.
    mutating func endLine() throws(TOMLError) {
        skipBlanks()
        try skipComment()
        guard takeLineEnd() || peek == nil else { throw error("expected the end of the line") }
    }

    private mutating func skipComment() throws(TOMLError) {
        guard peek == UInt8(ascii: "#") else { return }
        while let byte = peek, byte != 0x0A, !isCarriageReturn() {
            guard byte == 0x09 || byte >= 0x20 && byte != 0x7F else { throw error("control character in a comment") }
            position += 1
        }
    }

    private func isCarriageReturn() -> Bool {
        peek == 0x0D && position + 1 < bytes.count && bytes[position + 1] == 0x0A
    }

    private mutating func takeLineEnd() -> Bool {
        if isCarriageReturn() { position += 1 }
        guard peek == 0x0A else { return false }
        position += 1
        line += 1
        mark = (position, 1)
        return true
    }

    // MARK: Words

    mutating func key() throws(TOMLError) -> Key {
        let place = here()
        if let byte = peek, byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
            guard !startsTriple(byte) else { throw error("a key must not span several lines") }
            return Key(name: try string(), place: place)
        }
        let start = position
        while let byte = peek, Self.isBare(byte) { position += 1 }
        guard position > start else { throw error("expected a key: letters, digits, - and _, or a quoted string") }
        return Key(name: String(decoding: bytes[start..<position], as: UTF8.self), place: place)
    }

    private static func isBare(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"): true
        default: false
        }
    }

    /// Consumes the characters of a number, a boolean or a time; a blank inside a date too.
    mutating func word() throws(TOMLError) -> String {
        let start = position
        while let byte = peek {
            let isDateBlank =
                byte == 0x20 && position - start == 10 && bytes[start + 4] == UInt8(ascii: "-")
                && position + 1 < bytes.count && (0x30...0x39).contains(bytes[position + 1])
            guard Self.isBare(byte) || "+.:".utf8.contains(byte) || isDateBlank else { break }
            position += 1
        }
        guard position > start else { throw error("expected a value: put strings in quotes") }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    // MARK: Strings

    private func startsTriple(_ quote: UInt8) -> Bool {
        position + 2 < bytes.count && bytes[position] == quote && bytes[position + 1] == quote
            && bytes[position + 2] == quote
    }

    /// A string of any of the four kinds.
    mutating func string() throws(TOMLError) -> String {
        guard let quote = peek else { throw error("expected a quoted string") }
        let isLong = startsTriple(quote)
        position += isLong ? 3 : 1
        if isLong { _ = takeLineEnd() }
        var text: [UInt8] = []
        while let byte = peek {
            if byte == quote, !isLong || startsTriple(quote) {
                return String(decoding: closed(text, quote, isLong), as: UTF8.self)
            }
            if byte == UInt8(ascii: "\\"), quote == UInt8(ascii: "\"") {
                try escape(isLong: isLong, into: &text)
            } else if isLong, takeLineEnd() {
                text.append(0x0A)
            } else {
                guard byte == 0x09 || byte >= 0x20 && byte != 0x7F else { break }
                text.append(byte)
                position += 1
            }
        }
        throw error(peek == nil || peek == 0x0A ? "the string is not closed" : "control character in a string")
    }

    /// One or two quotation marks may come right before the closing three.
    private mutating func closed(_ text: [UInt8], _ quote: UInt8, _ isLong: Bool) -> [UInt8] {
        position += isLong ? 3 : 1
        guard isLong else { return text }
        var text = text
        for _ in 0..<2 where peek == quote {
            text.append(quote)
            position += 1
        }
        return text
    }

    private mutating func escape(isLong: Bool, into text: inout [UInt8]) throws(TOMLError) {
        let escaped: [UInt8: UInt8] = [
            UInt8(ascii: "b"): 0x08, UInt8(ascii: "t"): 0x09, UInt8(ascii: "n"): 0x0A, UInt8(ascii: "f"): 0x0C,
            UInt8(ascii: "r"): 0x0D, UInt8(ascii: "\""): 0x22, UInt8(ascii: "\\"): 0x5C,
        ]
        let start = self
        position += 1
        guard let byte = peek else { throw start.error("the string is not closed") }
        if let plain = escaped[byte] {
            text.append(plain)
            position += 1
        } else if byte == UInt8(ascii: "u") || byte == UInt8(ascii: "U") {
            position += 1
            text += try scalar(digits: byte == UInt8(ascii: "u") ? 4 : 8, start)
        } else if isLong, skipsLines() {
            return
        } else {
            throw start.error("unknown escape: write \\\\ for a backslash")
        }
    }

    private mutating func scalar(digits count: Int, _ start: TOMLScanner) throws(TOMLError) -> [UInt8] {
        let digits = bytes[position..<min(position + count, bytes.count)]
        let hexadecimal = String(decoding: digits, as: UTF8.self)
        guard digits.count == count, hexadecimal.allSatisfy(\.isHexDigit), let value = UInt32(hexadecimal, radix: 16),
            let scalar = Unicode.Scalar(value)
        else { throw start.error("this escape is not a valid character") }
        position += count
        return Array(String(scalar).utf8)
    }

    /// A backslash at the end of a line: the line end and all white space after it are skipped.
    private mutating func skipsLines() -> Bool {
        let start = self
        skipBlanks()
        guard takeLineEnd() else {
            self = start
            return false
        }
        repeat { skipBlanks() } while takeLineEnd()
        return true
    }
}
