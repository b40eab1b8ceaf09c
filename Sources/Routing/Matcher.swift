/// One question to a request, with its values in the form that comparing wants.
struct Matcher: Equatable, Sendable {
    enum Kind: Sendable {
        /// Any request, whether it names a host or not.
        case anyHost
        case host
        /// The value is the part from the first dot on; one label stands before it.
        case hostBelow
        case path
        case pathPrefix
        case header
        case method
        case query
    }

    let kind: Kind
    let first: [UInt8]
    let second: [UInt8]

    private init(_ kind: Kind, _ first: [UInt8] = [], _ second: [UInt8] = []) {
        self.kind = kind
        self.first = first
        self.second = second
    }

    /// A value as the rule writes it, and where.
    struct Value {
        let bytes: [UInt8]
        let offset: Int
    }

    private static let known: [(name: String, counts: ClosedRange<Int>, usage: String)] = [
        ("Host", 1...1, "Host(`name`)"),
        ("Path", 1...1, "Path(`/path`)"),
        ("PathPrefix", 1...1, "PathPrefix(`/path`)"),
        ("Header", 2...2, "Header(`name`, `value`)"),
        ("Method", 1...1, "Method(`GET`)"),
        ("Query", 1...2, "Query(`name`) or Query(`name`, `value`)"),
    ]
    private static let unbuilt = ["HostRegexp", "PathRegexp", "HeaderRegexp", "QueryRegexp", "ClientIP"]

    /// - Parameters:
    ///   - name: in any case, as Traefik takes it.
    ///   - offset: of the name, for errors that no value causes.
    static func named(_ name: String, at offset: Int, values: [Value]) throws(RuleError) -> Matcher {
        guard let form = known.first(where: { $0.name.lowercased() == name.lowercased() }) else {
            throw unknown(name, at: offset)
        }
        guard form.counts.contains(values.count), let first = values.first else {
            let message = "\(form.name) was given \(values.count) values: write \(form.usage)"
            throw RuleError(offset: offset, message: message)
        }
        for value in values where value.bytes.isEmpty {
            throw RuleError(offset: value.offset, message: "a value of \(form.name) must not be empty")
        }
        switch form.name {
        case "Host": return try host(first)
        case "Path": return Matcher(.path, try path(first, of: form.name))
        case "PathPrefix": return Matcher(.pathPrefix, try path(first, of: form.name))
        case "Header": return try header(first, values[1])
        case "Method": return Matcher(.method, first.bytes.map(\.uppercased))
        default: return Matcher(.query, first.bytes, values.count > 1 ? values[1].bytes : [])
        }
    }

    private static func unknown(_ name: String, at offset: Int) -> RuleError {
        if let unbuilt = unbuilt.first(where: { $0.lowercased() == name.lowercased() }) {
            return RuleError(offset: offset, message: "\(unbuilt) is not available in this version")
        }
        let names = known.map(\.name)
        let advice = Spelling.nearest(to: name, among: names + unbuilt).map { "did you mean \($0)?" }
        return RuleError(
            offset: offset,
            message: "there is no matcher \(name): " + (advice ?? "there are \(names.joined(separator: ", "))"))
    }

    private static func host(_ value: Value) throws(RuleError) -> Matcher {
        let star = UInt8(ascii: "*")
        guard value.bytes != [star] else { return Matcher(.anyHost) }
        guard value.bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw RuleError(
                offset: value.offset, message: "Host takes printable ASCII only: write other names in their xn-- form")
        }
        guard value.bytes.withUnsafeBytes({ HostName.portColon(of: $0) }) == nil else {
            throw RuleError(offset: value.offset, message: "Host takes a name without a port")
        }
        let name = value.bytes.withUnsafeBytes { Array(HostName.canonical($0)).map(\.lowercased) }
        guard !name.isEmpty else {
            throw RuleError(offset: value.offset, message: "Host takes a name, and a dot is none")
        }
        let isBelow = name.starts(with: [star, UInt8(ascii: ".")])
        guard !name.dropFirst(isBelow ? 1 : 0).contains(star) else {
            throw RuleError(
                offset: value.offset, message: "in Host a * stands alone or for the whole first label: *.example.com")
        }
        return isBelow ? Matcher(.hostBelow, Array(name.dropFirst())) : Matcher(.host, name)
    }

    private static func path(_ value: Value, of matcher: String) throws(RuleError) -> [UInt8] {
        guard value.bytes.first == UInt8(ascii: "/") else {
            throw RuleError(offset: value.offset, message: "the value of \(matcher) must start with /")
        }
        return value.bytes
    }

    private static func header(_ name: Value, _ value: Value) throws(RuleError) -> Matcher {
        let lowercased = name.bytes.map(\.lowercased)
        guard lowercased != Array("host".utf8) else {
            throw RuleError(offset: name.offset, message: "Header never matches the Host field: write Host(`name`)")
        }
        return Matcher(.header, lowercased, value.bytes)
    }
}

extension UInt8 {
    /// The ASCII small letter of an ASCII capital; anything else as it is.
    var lowercased: UInt8 { self >= 0x41 && self <= 0x5A ? self | 0x20 : self }

    /// The ASCII capital of an ASCII small letter; anything else as it is.
    var uppercased: UInt8 { self >= 0x61 && self <= 0x7A ? self & 0xDF : self }
}
