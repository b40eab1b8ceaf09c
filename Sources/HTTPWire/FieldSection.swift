/// Scans all field lines of one head, and collects what the well-known fields say.
struct FieldSection {
    private(set) var facts = HeadFacts()
    private(set) var count = 0
    /// One bit for each `FieldName` that occurs.
    private(set) var present: UInt64 = 0
    private let start: Int
    private let limits: MessageLimits
    private let most: Int

    /// A section that begins at offset `start`, with at most as many fields as the limits and the table's capacity
    /// allow.
    init(start: Int, limits: MessageLimits, capacity: Int) {
        self.start = start
        self.limits = limits
        most = min(limits.fieldCount, capacity)
    }

    /// Writes the fields to `storage` and returns the offset after the empty line that ends them.
    @inline(__always)
    mutating func scan(
        _ base: UnsafeRawPointer, count available: Int, into storage: UnsafeMutablePointer<Field>, isRequest: Bool
    ) throws(Halt) -> Int {
        var lineStart = start
        while true {
            guard lineStart < available else { throw .incomplete }
            if base.load(fromByteOffset: lineStart, as: UInt8.self) == .carriageReturn {
                return try Line.end(base, at: lineStart, count: available, lastEnd: lineStart)
            }
            guard count < most else { throw .refused(.tooManyFields) }
            let line = try FieldLine.scan(
                base, from: lineStart, count: available, sectionStart: start, limits: limits)
            let field = line.field
            if field.name != .other {
                present |= 1 &<< UInt64(field.name.rawValue)
                try facts.note(field, base)
            } else if line.mayBeAlias && isRequest {
                let length = Int(field.nameEnd &- field.nameStart)
                if FieldName.isAlias(base + lineStart, count: length) { throw .refused(.underscoreAlias) }
            }
            (storage + count).initialize(to: field)
            count &+= 1
            lineStart = Int(field.lineEnd)
        }
    }
}
