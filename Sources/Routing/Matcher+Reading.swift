extension Matcher {
    private typealias Form = (name: String, counts: ClosedRange<Int>, usage: String)

    private static let known: [Form] = [
        ("Host", 1...1, "Host(`name`)"),
        ("HostRegexp", 1...1, "HostRegexp(`pattern`)"),
        ("Path", 1...1, "Path(`/path`)"),
        ("PathPrefix", 1...1, "PathPrefix(`/path`)"),
        ("PathRegexp", 1...1, "PathRegexp(`pattern`)"),
        ("Header", 2...2, "Header(`name`, `value`)"),
        ("HeaderRegexp", 2...2, "HeaderRegexp(`name`, `pattern`)"),
        ("Method", 1...1, "Method(`GET`)"),
        ("Query", 1...2, "Query(`name`) or Query(`name`, `value`)"),
        ("QueryRegexp", 1...2, "QueryRegexp(`name`, `pattern`)"),
        ("ClientIP", 1...1, "ClientIP(`10.0.0.0/8`)"),
        ("Cookie", 2...2, "Cookie(`name`, `value`)"),
        ("CookieRegexp", 2...2, "CookieRegexp(`name`, `pattern`)"),
    ]

    /// - Parameters:
    ///   - name: in any case, as in Traefik.
    ///   - place: from the name to the closing parenthesis, in bytes of the rule.
    static func named(_ name: String, at place: Range<Int>, values: [Value]) throws(RuleError) -> Matcher {
        guard let form = known.first(where: { $0.name.lowercased() == name.lowercased() }) else {
            throw unknown(name, at: place.lowerBound)
        }
        guard form.counts.contains(values.count), let first = values.first else {
            let message = "\(form.name) has the wrong number of values (\(values.count)): write \(form.usage)"
            throw RuleError(offset: place.lowerBound, message: message)
        }
        for value in values where value.bytes.isEmpty {
            throw RuleError(offset: value.offset, message: "the value of \(form.name) must not be empty")
        }
        var matcher = try matcher(form.name, first, values.count > 1 ? values[1] : nil)
        matcher.place = place
        matcher.doubt = doubt(of: form.name, first, values.count > 1 ? values[1] : nil)
        return matcher
    }

    /// - Parameter name: a known name. The number of values fits it.
    private static func matcher(_ name: String, _ first: Value, _ second: Value?) throws(RuleError) -> Matcher {
        switch (name, second) {
        case ("Host", _): try host(first)
        case ("HostRegexp", _): try hostPattern(first)
        case ("Path", _): Matcher(kind: .path, first: try path(first, of: name))
        case ("PathPrefix", _): Matcher(kind: .pathPrefix, first: try path(first, of: name))
        case ("PathRegexp", _): Matcher(kind: .pathPattern, pattern: try pattern(first))
        case ("Header", let second?): Matcher(kind: .header, first: try field(first, of: name), second: second.bytes)
        case ("HeaderRegexp", let second?):
            Matcher(kind: .headerPattern, first: try field(first, of: name), pattern: try pattern(second))
        case ("Method", _): Matcher(kind: .method, first: first.bytes.map(\.uppercased))
        case ("QueryRegexp", let second?):
            Matcher(kind: .queryPattern, first: first.bytes, pattern: try pattern(second))
        case ("ClientIP", _): Matcher(kind: .clientAddress, addresses: try addresses(first))
        case ("Cookie", let second?):
            Matcher(kind: .cookie, first: try cookie(first, of: name), second: second.bytes)
        case ("CookieRegexp", let second?):
            Matcher(kind: .cookiePattern, first: try cookie(first, of: name), pattern: try pattern(second))
        // Query, and QueryRegexp without a pattern, which means the same in Traefik.
        default: Matcher(kind: .query, first: first.bytes, second: second?.bytes ?? [])
        }
    }

    private static func unknown(_ name: String, at offset: Int) -> RuleError {
        let names = known.map(\.name)
        let advice = SpellingSuggestion.nearest(to: name, among: names).map { "did you mean \($0)?" }
        return RuleError(
            offset: offset,
            message: "unknown matcher \(name): " + (advice ?? "use one of \(names.joined(separator: ", "))"))
    }

    private static func host(_ value: Value) throws(RuleError) -> Matcher {
        let star = UInt8(ascii: "*")
        guard value.bytes != [star] else { return Matcher(kind: .anyHost) }
        guard value.bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw RuleError(
                offset: value.offset, message: "Host accepts only printable ASCII: write other names in their xn-- form"
            )
        }
        guard value.bytes.withUnsafeBytes({ HostName.portColon(of: $0) }) == nil else {
            let isPattern = value.bytes.contains(UInt8(ascii: "{"))
            throw RuleError(
                offset: value.offset,
                message: isPattern
                    ? "Host takes a name, not a pattern: write HostRegexp(`pattern`)"
                    : "Host takes a name without a port")
        }
        let name = value.bytes.withUnsafeBytes { Array(HostName.canonical($0)).map(\.lowercased) }
        guard !name.isEmpty else {
            throw RuleError(offset: value.offset, message: "Host takes a name, not just a dot")
        }
        let isBelow = name.starts(with: [star, UInt8(ascii: ".")])
        guard !name.dropFirst(isBelow ? 1 : 0).contains(star) else {
            throw RuleError(
                offset: value.offset,
                message: "a * in Host must be the whole value or the whole first label, as in *.example.com")
        }
        return isBelow ? Matcher(kind: .hostBelow, first: Array(name.dropFirst())) : Matcher(kind: .host, first: name)
    }

    private static func hostPattern(_ value: Value) throws(RuleError) -> Matcher {
        if let index = value.bytes.firstIndex(where: { $0 >= 0x80 }) {
            throw RuleError(
                offset: value.place(of: index),
                message: "HostRegexp accepts only ASCII: write other names in their xn-- form")
        }
        return Matcher(kind: .hostPattern, pattern: try pattern(value))
    }

    private static func path(_ value: Value, of matcher: String) throws(RuleError) -> [UInt8] {
        guard value.bytes.first == UInt8(ascii: "/") else {
            throw RuleError(offset: value.offset, message: "the value of \(matcher) must start with /")
        }
        return value.bytes
    }

    private static func pattern(_ value: Value) throws(RuleError) -> Pattern {
        do throws(PatternError) {
            return try Pattern(value.bytes)
        } catch {
            throw RuleError(offset: value.place(of: error.offset), message: error.message)
        }
    }

    /// The name of a field, in lower case.
    private static func field(_ name: Value, of matcher: String) throws(RuleError) -> [UInt8] {
        let lowercased = name.bytes.map(\.lowercased)
        guard lowercased != Array("host".utf8) else {
            let right = matcher == "Header" ? "Host(`name`)" : "HostRegexp(`pattern`)"
            throw RuleError(offset: name.offset, message: "\(matcher) never matches the Host header: write \(right)")
        }
        return lowercased
    }

    private static func cookie(_ name: Value, of matcher: String) throws(RuleError) -> [UInt8] {
        let separators = Array("()<>@,;:\\\"/[]?={} \t".utf8)
        guard let index = name.bytes.firstIndex(where: { $0 <= 0x20 || $0 >= 0x7F || separators.contains($0) }) else {
            return name.bytes
        }
        throw RuleError(
            offset: name.place(of: index),
            message: "a cookie name cannot contain this character: write \(matcher)(`name`, …)")
    }

    private static func addresses(_ value: Value) throws(RuleError) -> AddressRange {
        do throws(AddressError) {
            return try AddressRange(String(decoding: value.bytes, as: UTF8.self))
        } catch {
            throw RuleError(offset: value.offset, message: error.description)
        }
    }
}
