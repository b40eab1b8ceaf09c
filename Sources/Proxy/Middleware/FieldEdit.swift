/// A change to the fields of a head.
package struct FieldEdit: Sendable, Equatable {
    /// In lower case: what it is compared by.
    let key: [UInt8]
    /// The whole line, or nothing where the field is only removed.
    let line: [UInt8]
    /// The place of the value in the line.
    private let valueStart: Int
    /// Whether fields of that name that are there already stay.
    let keepsOthers: Bool

    private init(_ name: String, _ value: [UInt8]?, keepsOthers: Bool) {
        key = Array(name.utf8).map(FieldEdit.lowered)
        line = value.map { Array("\(name): ".utf8) + $0 + Array("\r\n".utf8) } ?? []
        valueStart = name.utf8.count + 2
        self.keepsOthers = keepsOthers
    }

    static func remove(name: String) -> FieldEdit { FieldEdit(name, nil, keepsOthers: false) }

    /// In place of all fields of that name.
    static func set(name: String, value: String) -> FieldEdit { set(name: name, value: Array(value.utf8)) }

    static func set(name: String, value: [UInt8]) -> FieldEdit { FieldEdit(name, value, keepsOthers: false) }

    /// Beside those that are there.
    static func add(name: String, value: [UInt8]) -> FieldEdit { FieldEdit(name, value, keepsOthers: true) }

    var value: ArraySlice<UInt8> { line.isEmpty ? [] : line[valueStart..<line.count - 2] }

    /// Whether a field says where a message ends or how long a connection lives: those are not to be edited.
    package static func isFraming(_ lowercasedName: String) -> Bool {
        [
            "connection", "content-length", "transfer-encoding", "keep-alive", "proxy-connection", "te", "trailer",
            "upgrade", "http2-settings", "expect",
        ].contains(lowercasedName)
    }

    static func lowered(_ byte: UInt8) -> UInt8 { byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte }
}

/// Changes to the fields of one head, those of several middlewares one after the other.
struct FieldEdits {
    /// Names, in lower case, of which nothing stays that was there.
    private(set) var dropped: [[UInt8]] = []
    /// What comes behind what stays, in order.
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

    /// Whether a field of this name (in lower case) that was there is gone.
    func drops(_ key: some Collection<UInt8>) -> Bool { dropped.contains { $0.elementsEqual(key) } }

    /// Whether a field is gone that is of such a name, or that a backend may take for one.
    func dropsSpelling(_ name: some Collection<UInt8>) -> Bool {
        dropped.contains { PlainFieldName($0).elementsEqual(PlainFieldName(name)) }
    }

    func drops(_ key: StaticString) -> Bool {
        drops(UnsafeBufferPointer(start: key.utf8Start, count: key.utf8CodeUnitCount))
    }

    /// Whether a field of this name (in lower case) is taken away or added.
    func mention(_ key: StaticString) -> Bool {
        let key = UnsafeBufferPointer(start: key.utf8Start, count: key.utf8CodeUnitCount)
        return drops(key) || value(of: key) != nil
    }

    /// What was appended last of that name (in lower case); nil where nothing was.
    func value(of key: some Collection<UInt8>) -> ArraySlice<UInt8>? {
        appended.last { $0.key.elementsEqual(key) }?.value
    }

    var lines: [UInt8] { appended.reduce(into: []) { $0 += $1.line } }
}
