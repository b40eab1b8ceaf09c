import Routing
import Testing

@Suite("A rule")
struct RuleTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let rule: String
        let request: @Sendable () -> RequestSample
        let expected: Bool
        let note: String

        init(
            _ rule: String, _ expected: Bool, _ note: String,
            _ request: @escaping @Sendable @autoclosure () -> RequestSample
        ) {
            self.rule = rule
            self.request = request
            self.expected = expected
            self.note = note
        }

        var testDescription: String { "\(rule) \(expected ? "takes" : "leaves") \(note)" }
    }

    static func host(_ rule: String, _ host: String, _ expected: Bool) -> Case {
        Case("Host(`\(rule)`)", expected, "host \"\(host)\"", RequestSample(host: host))
    }

    static func target(_ rule: String, _ target: String, _ expected: Bool) -> Case {
        Case(rule, expected, target, RequestSample(target))
    }

    static let hosts = [
        host("shop.example", "shop.example", true),
        host("shop.example", "SHOP.Example", true),
        host("Shop.Example", "shop.example", true),
        host("shop.example", "shop.example:8443", true),
        host("shop.example", "shop.example:", true),
        host("shop.example", "shop.example.", true),
        host("shop.example", "shop.example.:80", true),
        host("shop.example.", "shop.example", true),
        host("shop.example.", "shop.example.", true),
        host("shop.example", "shop.example..", false),
        host("shop.example", "a.shop.example", false),
        host("shop.example", "shop.exampl", false),
        host("shop.example", "", false),
        host("shop.example", "shop.example:80:80", false),
        host("*.example.com", "a.example.com", true),
        host("*.example.com", "A.Example.com:80", true),
        host("*.example.com.", "a.example.com", true),
        host("*.example.com", "a.b.example.com", false),
        host("*.example.com", "example.com", false),
        host("*.example.com", ".example.com", false),
        host("*.example.com", "aexample.com", false),
        host("*", "", true),
        host("*", "anything:1", true),
        host("[::1]", "[::1]:80", true),
        host("[::1]", "[::1]", true),
        host("::1", "[::1]:80", true),
        host("10.0.0.1", "10.0.0.1:80", true),
        host("shop.example", "[shop.example", false),
    ]

    static let paths = [
        target("Path(`/products`)", "/products", true),
        target("Path(`/products`)", "/products?x=1", true),
        target("Path(`/products`)", "/products/", false),
        target("Path(`/products`)", "/Products", false),
        target("PathPrefix(`/products`)", "/products", true),
        target("PathPrefix(`/products`)", "/products-for-sale", true),
        target("PathPrefix(`/products/`)", "/products", false),
        target("PathPrefix(`/`)", "/", true),
        target("PathPrefix(`/`)", "*", false),
        target("Path(`/foo bar`)", "/foo%20bar", true),
        target("Path(`/a`)", "/%61", true),
        target("Path(`/ä`)", "/%C3%a4", true),
        target("Path(`/a/b`)", "/a%2Fb", false),
        target("Path(`/a/b`)", "/a%2fb", false),
        target("Path(`/a%2Fb`)", "/a%2Fb", true),
        target("Path(`/a%2Fb`)", "/a%2fb", true),
        target("Path(`/a%2520`)", "/a%2520", true),
        target("Path(`/a b`)", "/a%2520b", false),
        target("Path(`/a?`)", "/a%3F", false),
        target("PathPrefix(`/a%2F`)", "/a%2fb", true),
        target("Path(`/a%`)", "/a%", true),
        target("Path(`/a%2`)", "/a%2", true),
        target("Path(`/a%zz`)", "/a%zz", true),
        target("Path(`/a+b`)", "/a+b", true),
    ]

    static let queries = [
        target("Query(`sid`, `7`)", "/?sid=7", true),
        target("Query(`sid`, `7`)", "/?sid=8", false),
        target("Query(`sid`, `7`)", "/?sid=8&sid=7", true),
        target("Query(`sid`, `7`)", "/?a=b;sid=7", true),
        target("Query(`sid`, `7`)", "/?SID=7", false),
        target("Query(`sid`, `7`)", "/?xsid=7", false),
        target("Query(`sid`, `7`)", "/?sid=77", false),
        target("Query(`sid`, `7`)", "/", false),
        target("Query(`sid`, `7`)", "/?", false),
        target("Query(`sid`, `a b`)", "/?sid=a+b", true),
        target("Query(`sid`, `a b`)", "/?sid=a%20b", true),
        target("Query(`sid`, `a=b`)", "/?sid=a=b", true),
        target("Query(`sid`, `%zz`)", "/?sid=%zz", false),
        target("Query(`sid`, `7`)", "/?sid=%3&x=%&sid=%37", true),
        target("Query(`sid`, `7`)", "/?sid%=7&sid=7%", false),
        target("Query(`s d`, `7`)", "/?s%20d=7", true),
        target("Query(`mobile`)", "/?mobile", true),
        target("Query(`mobile`)", "/?mobile=", true),
        target("Query(`mobile`)", "/?mobile=1", false),
        target("Query(`mobile`)", "/?mobile=1&mobile", true),
        target("Query(`mobile`)", "/?&&mobile&", true),
        target("Query(`mobile`)", "/?", false),
    ]

    static let fieldsAndMethods = [
        Case("Header(`X-Tenant`, `blue`)", true, "the field", RequestSample(fields: [("x-tenant", "blue")])),
        Case("Header(`x-tenant`, `blue`)", true, "capitals", RequestSample(fields: [("X-TENANT", "blue")])),
        Case(
            "Header(`X-Tenant`, `blue`)", true, "the second one",
            RequestSample(fields: [("X-Tenant", "red"), ("X-Tenant", "blue")])),
        Case("Header(`X-Tenant`, `blue`)", false, "another value", RequestSample(fields: [("X-Tenant", "Blue")])),
        Case(
            "Header(`X-Tenant`, `blue`)", false, "part of a value", RequestSample(fields: [("X-Tenant", "blue, red")])),
        Case("Header(`X-Tenant`, `blue`)", false, "no field", RequestSample()),
        Case("Method(`GET`)", true, "GET", RequestSample(method: "GET")),
        Case("Method(`get`)", true, "GET", RequestSample(method: "GET")),
        Case("Method(`GET`)", false, "get", RequestSample(method: "get")),
        Case("Method(`GET`)", false, "GETS", RequestSample(method: "GETS")),
    ]

    @Test("judges one matcher as Traefik v3 does", arguments: hosts + paths + queries + fieldsAndMethods)
    func judges(_ example: Case) throws {
        #expect(try Rule(example.rule).matches(example.request()) == example.expected)
    }

    /// Every operator expression over three paths' worth of truth: A holds for GET, B for host b, C for /c.
    static let operators: [(String, @Sendable (Bool, Bool, Bool) -> Bool)] = [
        ("A && B && C", { $0 && $1 && $2 }),
        ("A || B || C", { $0 || $1 || $2 }),
        ("A || B && C", { $0 || ($1 && $2) }),
        ("A && B || C", { ($0 && $1) || $2 }),
        ("(A || B) && C", { ($0 || $1) && $2 }),
        ("A && (B || C)", { $0 && ($1 || $2) }),
        ("!A && B", { a, b, _ in !a && b }),
        ("!(A && B) || C", { !($0 && $1) || $2 }),
        ("!(A || !B) && !C", { !($0 || !$1) && !$2 }),
        ("!!A", { a, _, _ in a }),
        ("!(!(A) || (B && !C))", { !(!$0 || ($1 && !$2)) }),
        (" ( A )\n\t&& B", { a, b, _ in a && b }),
    ]

    @Test("combines matchers by precedence, for all truths", arguments: operators.map(\.0))
    func combines(_ form: String) throws {
        let meaning = try #require(Self.operators.first { $0.0 == form }).1
        let text = form.replacing("A", with: "METHOD(`GET`)").replacing("B", with: "host(\"b\")").replacing(
            "C", with: "Path(`/c`)")
        let rule = try Rule(text)
        for truths in 0..<8 {
            let (a, b, c) = (truths & 1 != 0, truths & 2 != 0, truths & 4 != 0)
            let request = RequestSample(c ? "/c" : "/x", method: a ? "GET" : "PUT", host: b ? "b" : "x")
            #expect(rule.matches(request) == meaning(a, b, c), "\(form) at \(a), \(b), \(c)")
        }
    }

    @Test(
        "takes matcher names in the cases that Traefik takes",
        arguments: ["PathPrefix", "pathprefix", "PATHPREFIX", "Pathprefix"])
    func namesInAnyCase(_ name: String) throws {
        #expect(try Rule("\(name)(`/a`)").matches(RequestSample("/a")))
    }

    @Test("reads escaped quotation marks in quoted values")
    func quotedValues() throws {
        #expect(try Rule(#"Header("X-Tag", "a\"b\\c")"#).matches(RequestSample(fields: [("X-Tag", #"a"b\c"#)])))
    }

    @Test("of ten thousand alternatives is read and matched")
    func longRule() throws {
        let rule = try Rule((0..<10_000).map { "Path(`/\($0)`)" }.joined(separator: " || "))
        #expect(rule.matches(RequestSample("/9999")))
        #expect(!rule.matches(RequestSample("/10000")))
    }
}
