import HTTPWire

/// Diagnoses matchers that are valid but can match no request, or no request that was intended.
extension Matcher {
    /// Why and where such a matcher is doubtful. Nil if a request can match it.
    ///
    /// - Parameter name: a known name, in its canonical spelling.
    static func doubt(of name: String, _ first: Value, _ second: Value?) -> RuleError? {
        switch (name, second) {
        case ("Host", _):
            first.doubt("a host cannot contain this character") { "/?#@{}".utf8.contains($0) }
        case ("Path", _), ("PathPrefix", _):
            path(first, isPrefix: name == "PathPrefix")
        case ("HostRegexp", _), ("PathRegexp", _):
            oldPattern(in: first, isPattern: true)
        case ("Query", nil):
            query(first)
        case ("Method", _):
            first.doubt("a method cannot contain this character: for two methods write Method(`GET`) || Method(`POST`)")
            { !$0.isToken }
        case ("Header", let second?):
            field(first) ?? blankEnd(of: second)
        case ("HeaderRegexp", _):
            field(first)
        default:
            nil
        }
    }

    private static func path(_ value: Value, isPrefix: Bool) -> RuleError? {
        oldPattern(in: value, isPattern: false)
            ?? value.doubt("a path cannot contain ?: for the query write Query(`name`, `value`)") {
                $0 == UInt8(ascii: "?")
            }
            ?? value.doubt("a path cannot contain #: clients do not send the fragment") {
                $0 == UInt8(ascii: "#")
            }
            ?? escape(in: value) ?? dotSegment(in: value, isPrefix: isPrefix)
    }

    /// Braces around a name: a named pattern in Traefik 2. Inside a pattern, `{2,3}` is a repetition and `\p{L}` a
    /// class.
    private static func oldPattern(in value: Value, isPattern: Bool) -> RuleError? {
        let bytes = value.bytes
        for index in bytes.indices where bytes[index] == UInt8(ascii: "{") {
            let isName = bytes[(index + 1)...].first.map { $0.isToken && !(0x30...0x39).contains($0) } ?? false
            guard isName, bytes[index...].contains(UInt8(ascii: "}")) else { continue }
            if isPattern, index >= 2, bytes[index - 2] == UInt8(ascii: "\\") { continue }
            return RuleError(
                offset: value.place(of: index),
                message: "{name:pattern} was a pattern in Traefik 2, but is compared literally now: write "
                    + (isPattern ? "the pattern alone" : "PathRegexp(`pattern`)"))
        }
        return nil
    }

    /// An escape that is decoded, or whose digits are upper-cased, in every request before it is compared.
    private static func escape(in value: Value) -> RuleError? {
        let decoded = value.bytes.withUnsafeBytes { bytes in
            Array(sequence(state: PercentDecoding(bytes, .path)) { $0.next() })
        }
        guard let difference = zip(decoded, value.bytes).enumerated().first(where: { $0.element.0 != $0.element.1 })
        else { return nil }
        let text = String(validating: decoded, as: UTF8.self)
        return RuleError(
            offset: value.place(of: difference.offset),
            message: "paths are compared after decoding: "
                + (text.map { "write \"\(Excerpt.of($0))\"" } ?? "no request has this path"))
    }

    /// - Parameter isPrefix: whether the last segment may continue in the request.
    private static func dotSegment(in value: Value, isPrefix: Bool) -> RuleError? {
        let segments = value.bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            .dropLast(isPrefix ? 1 : 0)
        guard let segment = segments.first(where: { $0.elementsEqual(".".utf8) || $0.elementsEqual("..".utf8) }) else {
            return nil
        }
        return RuleError(
            offset: value.place(of: segment.startIndex - 1),
            message: "a request with a . or .. segment in its path is rejected before routing")
    }

    private static func query(_ value: Value) -> RuleError? {
        guard let equals = value.bytes.firstIndex(of: UInt8(ascii: "=")) else { return nil }
        func text(_ bytes: ArraySlice<UInt8>) -> String { Excerpt.of(String(decoding: bytes, as: UTF8.self)) }
        let (name, rest) = (text(value.bytes[..<equals]), text(value.bytes[(equals + 1)...]))
        let advice = rest.isEmpty ? "Query(`\(name)`)" : "Query(`\(name)`, `\(rest)`)"
        return RuleError(
            offset: value.place(of: equals), message: "a parameter name cannot contain =: write \(advice)")
    }

    private static func field(_ name: Value) -> RuleError? {
        name.doubt("a header name cannot contain this character") { !$0.isToken }
    }

    private static func blankEnd(of value: Value) -> RuleError? {
        let blanks: [UInt8] = [0x20, 0x09]
        guard let first = value.bytes.first, let last = value.bytes.last,
            blanks.contains(first) || blanks.contains(last)
        else { return nil }
        return RuleError(offset: value.place(of: 0), message: "a header value cannot begin or end with a space")
    }
}

extension Matcher.Value {
    /// The doubt about the first byte for which `isWrong` returns true.
    fileprivate func doubt(_ message: String, where isWrong: (UInt8) -> Bool) -> RuleError? {
        bytes.firstIndex(where: isWrong).map { RuleError(offset: place(of: $0), message: message) }
    }
}
