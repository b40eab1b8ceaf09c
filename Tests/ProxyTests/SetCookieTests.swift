import Testing

@testable import Proxy

@Suite("What a Set-Cookie field tells a client to keep")
struct SetCookieTests {
    private static let now: UInt32 = 1_767_225_600
    private static let past = "Wed, 31 Dec 2025 23:59:59 GMT"
    private static let future = "Thu, 01 Jan 2026 00:00:01 GMT"

    /// Name and value, and whether the client forgets the cookie; nil for none.
    private static func read(_ text: String) -> (name: String, value: String, isDeletion: Bool)? {
        Array(text.utf8).withUnsafeBytes { field in
            SetCookie(field).map {
                (
                    String(decoding: $0.name, as: UTF8.self), String(decoding: $0.value, as: UTF8.self),
                    $0.isDeletion(at: now)
                )
            }
        }
    }

    @Test(
        "is a name and a value, without the spaces around them",
        arguments: [
            ("a=1", "a", "1"), (" a\t=  1 ; Path=/", "a", "1"), ("a=b=c;d=e", "a", "b=c"), ("a b=c d", "a b", "c d"),
            ("a=1;", "a", "1"), ("a=%3B", "a", "%3B"), ("a=\"1 2\" ; Path=/", "a", "1 2"), ("a=\"1", "a", "\"1"),
            ("\"a\"=1", "\"a\"", "1"),
        ])
    func nameAndValue(_ text: String, _ name: String, _ value: String) throws {
        let cookie = try #require(Self.read(text))
        #expect(cookie.name == name && cookie.value == value && !cookie.isDeletion)
    }

    @Test("is nothing without a name", arguments: ["", "a", "=1", " =1", ";a=1", "a;b=1", "\t=", "a; Max-Age=1"])
    func nameless(_ text: String) {
        #expect(Self.read(text) == nil)
    }

    @Test(
        "is to be forgotten at once by an age, or a date, that is over; the age counts before the date",
        arguments: [
            ("a=", true), ("a= ; Max-Age=9", true), ("a=1; Max-Age=0", true), ("a=1; max-age=-1", true),
            ("a=1; MAX-AGE = 000 ", true), ("a=1; Max-Age=1", false), ("a=1; Max-Age=99999999999999999999", false),
            ("a=1; Expires=\(past)", true), ("a=1; expires=\(future)", false),
            ("a=1; Expires=\(past); Max-Age=1", false), ("a=1; Max-Age=1; Expires=\(past)", false),
            ("a=1; Expires=\(future); Max-Age=0", true), ("a=1; Path=/; HttpOnly; Secure; SameSite=Lax", false),
        ])
    func deletion(_ text: String, _ isDeletion: Bool) throws {
        try #expect(#require(Self.read(text)).isDeletion == isDeletion)
    }

    @Test(
        "has of each attribute the last that is one; what is none does not count",
        arguments: [
            ("Max-Age=0; Max-Age=5", false), ("Max-Age=5; Max-Age=0", true), ("Max-Age=0; Max-Age=soon", true),
            ("Max-Age=; Max-Age=1.5; Max-Age=+1; Max-Age=--1; Max-Age", false), ("Max-Age=-", true),
            ("Expires=\(past); Expires=\(future)", false), ("Expires=\(future); Expires=\(past)", true),
            ("Expires=\(past); Expires=never", true), ("Expires; Max-Age", false), ("Xmax-age=0; Max-Agex=0", false),
            ("Path=Max-Age=0", false), ("=0", false),
        ])
    func lastAttribute(_ attributes: String, _ isDeletion: Bool) throws {
        try #expect(#require(Self.read("a=1; " + attributes)).isDeletion == isDeletion)
        try #expect(#require(Self.read("a=1;" + attributes.replacing("; ", with: ";"))).isDeletion == isDeletion)
    }

    @Test("is over in the very second that its date names, and not before")
    func second() {
        Array("a=1; Expires=\(Self.future)".utf8).withUnsafeBytes { field in
            #expect(SetCookie(field)?.isDeletion(at: Self.now) == false)
            #expect(SetCookie(field)?.isDeletion(at: Self.now + 1) == true)
        }
    }
}
