import Routing
import Testing

@Suite("A rule with a pattern")
struct PatternRuleTests {
    typealias Case = RuleTests.Case

    private static func fields(_ rule: String, _ name: String, _ values: [String], _ expected: Bool) -> Case {
        Case(rule, expected, "\(name): \(values)", RequestSample(fields: values.map { (name, $0) }))
    }

    static let hosts = [
        ("^shop[0-9]+\\.example$", "shop7.example", true), ("^shop[0-9]+\\.example$", "SHOP7.Example:8443", true),
        ("^shop\\.example$", "shop.example.", true), ("example", "shop.example.com", true),
        ("^example", "a.example", false),
        ("^shop$", "shops", false), ("^$", "", true), ("Shop", "Shop", false), ("(?i)Shop", "Shop", true),
    ].map { Case("HostRegexp(`\($0)`)", $2, "host \"\($1)\"", RequestSample(host: $1)) }

    static let paths = [
        ("^/api/v[0-9]+/", "/api/v12/x", true), ("^/api/v[0-9]+/", "/api/vx/", false), ("v1", "/api/v1?x", true),
        ("^/a b$", "/a%20b", true), ("^/a/b$", "/a%2Fb", false), ("^/a%2Fb$", "/a%2fb", true),
        ("^/ä$", "/%C3%A4", true),
        ("^/.$", "/%C3%A4", true), ("x$", "/x?y", true), ("^/x$", "/x%0A", false), ("^/.$", "/%0A", false),
        ("(?s)^/.$", "/%0A", true), ("(?m)^b$", "/a%0Ab", true), ("(?m)^$", "/a%0A", true), ("^/.$", "/%FF", true),
        ("^/..$", "/%E2%82", true), ("^/\\x{FFFD}$", "/%FF", true), ("^/\\w$", "/%C3%A4", false),
        ("^/\\pL$", "/%C3%A4", true), ("(?i)^/Ä$", "/%C3%A4", true), ("^/\\Qa.b", "/a.b", true),
        ("^/\\Qa.b\\E$", "/axb", false), ("^/{id}$", "/{id}", true), ("^/[^/]+$", "/a/b", false),
        ("^/(?P<id>[0-9]{1,3})(?:/|$)", "/123/", true), ("a||b", "/", true), ("^/[]a]$", "/%5D", false),
        ("^/[[:digit:]x]+$", "/1x1", true),
    ].map { Case("PathRegexp(`\($0)`)", $2, $1, RequestSample($1)) }

    static let headers = [
        fields("HeaderRegexp(`X-Tenant`, `^b.ue$`)", "x-tenant", ["blue"], true),
        fields("HeaderRegexp(`X-Tenant`, `blue`)", "X-Tenant", ["dark blue, red"], true),
        fields("HeaderRegexp(`X-Tenant`, `^blue$`)", "X-Tenant", ["red", "blue"], true),
        fields("HeaderRegexp(`X-Tenant`, `^blue$`)", "X-Tenant", ["red", "Blue"], false),
        fields("HeaderRegexp(`X-Tenant`, `^$`)", "X-Tenant", [""], true),
        fields("HeaderRegexp(`X-Tenant`, `^$`)", "X-Other", [""], false),
    ]

    static let queries = [
        ("QueryRegexp(`a`, `^[0-9]+$`)", "/?a=17", true), ("QueryRegexp(`a`, `^[0-9]+$`)", "/?a=x", false),
        ("QueryRegexp(`a`, `^[0-9]+$`)", "/?a=x&a=17", true), ("QueryRegexp(`a`, `^[0-9]+$`)", "/?b=17", false),
        ("QueryRegexp(`a`, `^b c$`)", "/?a=b+c", true), ("QueryRegexp(`a`, `^b c$`)", "/?a=b%20c", true),
        ("QueryRegexp(`a`, `^.*$`)", "/?a", true), ("QueryRegexp(`a`, `^.*$`)", "/?a=%FF", true),
        ("QueryRegexp(`a`, `^.*$`)", "/?b", false), ("QueryRegexp(`a`, `^.*$`)", "/", false),
        ("QueryRegexp(`a`)", "/?a", true), ("QueryRegexp(`a`)", "/?a=1", false),
    ].map { RuleTests.target($0, $1, $2) }

    static let cookies = [
        fields("Cookie(`region`, `eu`)", "Cookie", ["region=eu"], true),
        fields("Cookie(`region`, `eu`)", "cookie", ["a=b; region=eu;c=d"], true),
        fields("Cookie(`region`, `eu`)", "Cookie", ["a=b", "region=eu"], true),
        fields("Cookie(`region`, `eu`)", "Cookie", ["region=us; region=eu"], true),
        fields("Cookie(`region`, `eu`)", "Cookie", ["region=\"eu\""], true),
        fields("Cookie(`region`, `\"eu\"`)", "Cookie", ["region=\"eu\""], true),
        fields("Cookie(`region`, `\"eu\"`)", "Cookie", ["region=eu"], false),
        fields("Cookie(`region`, `eu`)", "Cookie", ["Region=eu"], false),
        fields("Cookie(`region`, `eu`)", "Cookie", ["region=EU"], false),
        fields("Cookie(`region`, `eu`)", "Cookie", ["xregion=eu"], false),
        fields("Cookie(`region`, `eu`)", "Cookie", ["region=eu2"], false),
        fields("Cookie(`region`, `eu`)", "Cookie", ["region"], false),
        fields("Cookie(`region`, `eu`)", "Cookie", ["a=\"; region=eu"], true),
        fields("Cookie(`region`, `a=b`)", "Cookie", ["region=a=b"], true),
        fields("Cookie(`region`, `eu`)", "X-Cookie", ["region=eu"], false),
        fields("CookieRegexp(`region`, `^(eu|uk)$`)", "Cookie", ["region=us; region=uk"], true),
        fields("CookieRegexp(`region`, `^(eu|uk)$`)", "Cookie", ["region=\"uk\""], true),
        fields("CookieRegexp(`region`, `^(eu|uk)$`)", "Cookie", ["region=us"], false),
        fields("CookieRegexp(`region`, `^$`)", "Cookie", ["region="], true),
        fields("cookieregexp(`region`, `^$`)", "Cookie", ["other="], false),
    ]

    @Test("judges it as Traefik v3 does", arguments: hosts + paths + headers + queries + cookies)
    func judges(_ example: Case) throws {
        #expect(try Rule(example.rule).matches(example.request()) == example.expected)
    }

    @Test(
        "takes the address of the connection, whatever the fields say",
        arguments: [
            ("10.0.0.0/8", [10, 9, 8, 7], true), ("10.0.0.0/8", [11, 9, 8, 7], false),
            ("10.9.8.7", [10, 9, 8, 7], true), ("10.9.8.7", [10, 9, 8, 8], false), ("10.9.8.7/9", [10, 1, 1, 1], true),
            ("10.0.0.0/8", mapped, true), ("::ffff:10.0.0.0/104", [10, 1, 2, 3], true),
            ("::ffff:10.9.8.7", mapped, true), ("::/0", mapped, false), ("::/0", six, true), ("0.0.0.0/0", six, false),
            ("2001:db8::/32", six, true), ("2001:db9::/32", six, false), ("2001:db8::1", six, true),
            ("10.0.0.0/8", nil, false),
        ] as [(String, [UInt8]?, Bool)])
    func clientAddress(_ range: String, _ client: [UInt8]?, _ expected: Bool) throws {
        let request = RequestSample(
            fields: [("X-Forwarded-For", "10.9.8.7"), ("X-Real-Ip", "2001:db8::1")], client: client)
        #expect(try Rule("ClientIP(`\(range)`)").matches(request) == expected)
        #expect(try Rule("!ClientIP(`\(range)`)").matches(request) == !expected)
    }

    private static let mapped: [UInt8] = Array(repeating: 0, count: 10) + [0xFF, 0xFF, 10, 9, 8, 7]
    private static let six: [UInt8] = [0x20, 0x01, 0x0D, 0xB8] + Array(repeating: 0, count: 11) + [1]
}
