import Affinity
import Proxy
import Routing

extension HealthCheck {
    static let keys = TraefikKnownKeys.healthCheck + ["rise", "fall"]

    private static let intervals = Duration.milliseconds(100)...(.seconds(86400))
    private static let timeouts = Duration.milliseconds(1)...(.seconds(60))
    private static let counts = 1...1000
    private static let pathByteCountMax = 2048

    private enum Method: String, CaseIterable {
        case get = "GET"
        case head = "HEAD"
        case options = "OPTIONS"
        case post = "POST"
        case put = "PUT"
        case patch = "PATCH"
        case delete = "DELETE"
    }

    /// `loadBalancer.healthCheck`. Nil after an error that leaves nothing to check.
    init?(_ section: SettingSection) {
        section.check(known: Self.keys)
        let mode = section["mode"]?.choice(Mode.self) ?? .http
        let scheme = section["scheme"]?.choice(Scheme.self)
        let method = section["method"]?.choice(Method.self) ?? .get
        let hostname = section["hostname"].flatMap(Self.hostname)
        let port = section["port"]?.integer(1...65535)
        let status = section["status"]?.integer(200...599)
        let headers = Self.fields(section.section("headers"))
        let followsRedirects = section["followRedirects"]?.bool() ?? true
        let pace = CheckPace(section, intervals: Self.intervals, timeouts: Self.timeouts, counts: Self.counts)
        guard let path = Self.path(section, mode) else { return nil }
        self.init(
            path: path, mode: mode, method: method.rawValue, hostname: hostname, port: port, scheme: scheme,
            status: status, headers: headers, followsRedirects: followsRedirects, pace: pace)
    }

    /// Nil after an error. For gRPC what is called is the same everywhere.
    private static func path(_ section: SettingSection, _ mode: Mode) -> String? {
        guard mode == .grpc else {
            return section.required("path", "write a path such as /health").flatMap(path)
        }
        for key in ["path", "method", "status", "followRedirects"] {
            section[key]?.warning("has no effect with mode grpc")
        }
        return GRPCHealth.path
    }

    /// As in Traefik, the first slash may be left out.
    private static func path(_ value: SettingValue) -> String? {
        guard let text = value.nonEmptyString() else { return nil }
        if text.contains("://") || text.hasPrefix("//") {
            value.diagnostic("must be a path such as /health: hostname and port are keys of their own")
            return nil
        }
        guard text.utf8.count <= pathByteCountMax,
            text.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "#") })
        else {
            value.diagnostic(
                "must be a path of at most \(pathByteCountMax) printable ASCII characters without spaces and #")
            return nil
        }
        return text.hasPrefix("/") ? text : "/\(text)"
    }

    private static func hostname(_ value: SettingValue) -> String? {
        guard let text = value.nonEmptyString() else { return nil }
        do throws(AddressError) {
            _ = try HostAndPort(text[...], of: text, defaultPort: 80)
            return text
        } catch {
            value.diagnostic(error.description)
            return nil
        }
    }

    private static func fields(_ section: SettingSection?) -> [Field] {
        var fields: [Field] = []
        var names: Set<String> = []
        for (name, value) in section?.entries ?? [] {
            guard let text = value.isNull ? "" : value.string(), isField(name, value) else { continue }
            if !names.insert(name.lowercased()).inserted {
                value.diagnostic("is defined twice: header names are compared without regard to case")
            } else if !FieldRules.isValue(text) {
                value.diagnostic("must not contain control characters, or begin or end with a space")
            } else {
                fields.append(Field(name: name, value: text))
            }
        }
        return fields.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }

    private static func isField(_ name: String, _ value: SettingValue) -> Bool {
        guard name.lowercased() != "host" else {
            value.diagnostic("is set by the key hostname, next to headers")
            return false
        }
        return FieldRules.check(name, value)
    }
}

extension CheckPace {
    fileprivate init(
        _ section: SettingSection, intervals: ClosedRange<Duration>, timeouts: ClosedRange<Duration>,
        counts: ClosedRange<Int>
    ) {
        self.init()
        if let interval = section["interval"]?.duration(intervals) { intervalMilliseconds = interval.wholeMilliseconds }
        unhealthyIntervalMilliseconds =
            section["unhealthyInterval"]?.duration(intervals)?.wholeMilliseconds ?? intervalMilliseconds
        if let timeout = section["timeout"]?.duration(timeouts) { timeoutMilliseconds = timeout.wholeMilliseconds }
        rise = section["rise"]?.integer(counts) ?? 1
        fall = section["fall"]?.integer(counts) ?? 1
    }
}
