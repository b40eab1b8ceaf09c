import Testing

@testable import Proxy

@Suite("Edits of fields")
struct FieldEditsTests {
    private static func edits(_ edits: FieldEdit...) -> FieldEdits {
        var all = FieldEdits()
        all.apply(edits)
        return all
    }

    private static func text(_ bytes: some Sequence<UInt8>) -> String { String(decoding: Array(bytes), as: UTF8.self) }

    private static func add(_ name: String, _ value: String) -> FieldEdit { .add(name: name, value: Array(value.utf8)) }

    /// A field as somebody who edits a list of them has it.
    private struct Field: Equatable {
        var name: String
        var line: String
        /// Whether it was there before all edits.
        var isOld = false
    }

    /// What one edit makes of a list of fields, said as simply as can be.
    private static func apply(_ edit: FieldEdit, to fields: inout [Field]) {
        let name = text(edit.key)
        if !edit.keepsOthers { fields.removeAll { $0.name == name } }
        if !edit.line.isEmpty { fields.append(Field(name: name, line: text(edit.line))) }
    }

    @Test("that are gathered come to the same as edits that are made one after the other, in every order")
    func gathered() {
        let all: [FieldEdit] = [
            .set(name: "A", value: "1"), .set(name: "a", value: "2"), Self.add("A", "3"), .remove(name: "A"),
            .set(name: "B", value: "4"), Self.add("b", "5"), .remove(name: "B"),
        ]
        let start = ["a", "b", "a", "c"].map { Field(name: $0, line: "\($0): old\r\n", isOld: true) }
        var sequences: [[FieldEdit]] = [[]]
        for _ in 0..<4 { sequences = sequences.flatMap { sequence in all.map { sequence + [$0] } } }
        #expect(sequences.count == 2401)
        for sequence in sequences {
            var fields = start
            var edits = FieldEdits()
            for edit in sequence {
                Self.apply(edit, to: &fields)
                edits.apply(edit)
            }
            let kept = start.filter { !edits.drops($0.name.utf8) }
            #expect(kept == fields.filter(\.isOld))
            #expect(Self.text(edits.lines) == fields.filter { !$0.isOld }.map(\.line).joined())
        }
    }

    @Test("set a field in place of all of its name, add beside them, remove; lines are as they were written")
    func kinds() {
        let edits = Self.edits(.set(name: "X-One", value: "1"), Self.add("X-Two", "2"), .remove(name: "X-Three"))
        #expect(Self.text(edits.lines) == "X-One: 1\r\nX-Two: 2\r\n")
        #expect(edits.drops("x-one") && edits.drops("x-three") && !edits.drops("x-two"))
        #expect(!edits.isEmpty && FieldEdits().isEmpty && !Self.edits(.remove(name: "x")).isEmpty)
    }

    @Test("know the value that a field has last, and none where it was only removed")
    func value() {
        var edits = Self.edits(Self.add("X", "1"), Self.add("x", "2"))
        #expect(edits.value(of: "x".utf8).map(Self.text) == "2")
        edits.apply(.set(name: "X", value: ""))
        #expect(edits.value(of: "x".utf8).map(Self.text) == "")
        edits.apply(.remove(name: "X"))
        #expect(edits.value(of: "x".utf8) == nil && edits.value(of: "y".utf8) == nil)
    }

    @Test(
        "take away what a backend may read as the same name, and nothing else",
        arguments: [
            ("x-user", true), ("X_USER", true), ("x-_user", true), ("x--user", true), ("x__-user", true),
            ("xuser", false), ("x-user-", false), ("-x-user", false), ("x-user-id", false), ("x-use", false),
            ("", false),
        ])
    func spelling(_ name: String, _ isGone: Bool) {
        #expect(Self.edits(.remove(name: "X-User")).dropsSpelling(name.utf8) == isGone)
        #expect(Self.edits(.set(name: "x_user", value: "a")).dropsSpelling(name.utf8) == isGone)
        #expect(!Self.edits(Self.add("X-User", "a")).dropsSpelling(name.utf8))
    }

    @Test(
        "are not made to fields that frame a message, or say how long a connection lives",
        arguments: [
            ("connection", true), ("content-length", true), ("transfer-encoding", true), ("keep-alive", true),
            ("proxy-connection", true), ("te", true), ("trailer", true), ("upgrade", true), ("http2-settings", true),
            ("expect", true), ("host", false), ("cookie", false), ("content-type", false), ("x-content-length", false),
        ])
    func framing(_ name: String, _ isFraming: Bool) {
        #expect(FieldEdit.isFraming(name) == isFraming)
        let rules = MiddlewareChain.FieldRules(
            HeaderEdits(
                requestSet: [.init(name: name.uppercased(), value: "1")], requestRemove: [name],
                responseSet: [.init(name: name, value: "1")], responseRemove: [name.uppercased()]))
        let isHost = name == "host"
        #expect(rules.request.count == (isFraming ? 0 : isHost ? 1 : 2), "a request keeps some Host")
        #expect(rules.response.count == (isFraming || isHost ? 0 : 2), "a response has no Host")
    }

    @Test("compare names without their case, letters of ASCII alone")
    func lowered() {
        for byte in UInt8.min...UInt8.max {
            let isUpper = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
            #expect(FieldEdit.lowered(byte) == (isUpper ? byte + 32 : byte))
        }
    }
}
