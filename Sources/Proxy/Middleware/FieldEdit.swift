/// A change to the fields of a head.
package struct FieldEdit: Sendable, Equatable {
    /// The name in lower case, used for comparisons.
    let key: [UInt8]
    /// The complete line; empty if the field is only removed.
    let line: [UInt8]
    /// The offset of the value in the line.
    private let valueStart: Int
    /// Whether existing fields of that name are kept.
    let keepsOthers: Bool

    private init(_ name: String, _ value: [UInt8]?, keepsOthers: Bool) {
        key = Array(name.utf8).map(FieldEdit.lowered)
        line = value.map { Array("\(name): ".utf8) + $0 + Array("\r\n".utf8) } ?? []
        valueStart = name.utf8.count + 2
        self.keepsOthers = keepsOthers
    }

    static func remove(name: String) -> FieldEdit { FieldEdit(name, nil, keepsOthers: false) }

    /// Replaces all fields of that name.
    static func set(name: String, value: String) -> FieldEdit { set(name: name, value: Array(value.utf8)) }

    static func set(name: String, value: [UInt8]) -> FieldEdit { FieldEdit(name, value, keepsOthers: false) }

    /// Keeps existing fields of that name.
    static func add(name: String, value: [UInt8]) -> FieldEdit { FieldEdit(name, value, keepsOthers: true) }

    var value: ArraySlice<UInt8> { line.isEmpty ? [] : line[valueStart..<line.count - 2] }

    /// Whether a field determines where a message ends or how long a connection lives: such fields must not be edited.
    package static func isFraming(_ lowercasedName: String) -> Bool {
        [
            "connection", "content-length", "transfer-encoding", "keep-alive", "proxy-connection", "te", "trailer",
            "upgrade", "http2-settings", "expect",
        ].contains(lowercasedName)
    }

    static func lowered(_ byte: UInt8) -> UInt8 { byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte }
}

/// Changes to the fields of one head, from several middlewares in sequence.
struct FieldEdits {
    /// Names, in lower case, whose original fields are all removed.
    private(set) var dropped: [[UInt8]] = []
    /// Fields to append after the remaining ones, in order.
    private(set) var appended: [FieldEdit] = []

    var isEmpty: Bool { dropped.isEmpty && appended.isEmpty }

    mutating func apply(_ edits: [FieldEdit]) {
        for edit in edits { apply(edit) }
    }

    mutating func apply(_ edit: FieldEdit) {
        if !edit.keepsOthers {
            appended.removeAll { $0.key == edit.key }
            if !drops(edit.key[...]) { dropped.append(edit.key) }
        }
        if !edit.line.isEmpty { appended.append(edit) }
    }

    /// Whether original fields of this name (in lower case) are removed.
    func drops(_ key: some Collection<UInt8>) -> Bool { dropped.contains { $0.elementsEqual(key) } }

    /// Whether fields are removed whose name equals this one, or could be read as this one by a backend.
    func dropsSpelling(_ name: some Collection<UInt8>) -> Bool {
        dropped.contains { PlainFieldName($0).elementsEqual(PlainFieldName(name)) }
    }

    func drops(_ key: StaticString) -> Bool {
        drops(UnsafeBufferPointer(start: key.utf8Start, count: key.utf8CodeUnitCount))
    }

    /// Whether a field of this name (in lower case) is removed or added.
    func mention(_ key: StaticString) -> Bool {
        let key = UnsafeBufferPointer(start: key.utf8Start, count: key.utf8CodeUnitCount)
        return drops(key) || value(of: key) != nil
    }

    /// The value that was appended last for this name (in lower case); nil if none was.
    func value(of key: some Collection<UInt8>) -> ArraySlice<UInt8>? {
        appended.last { $0.key.elementsEqual(key) }?.value
    }

    var lines: [UInt8] { appended.reduce(into: []) { $0 += $1.line } }
}
