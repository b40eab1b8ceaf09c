/// The field lines of the most recently scanned head, in order. Storage is allocated once; one table serves one event
/// loop.
///
/// A field marked by `remove` stays in place, is skipped by every search, and is omitted by `forEachKeptRun`.
package final class FieldTable {
    package let capacity: Int
    /// The number of fields, including removed ones.
    package private(set) var count = 0
    private let storage: UnsafeMutablePointer<Field>
    /// One bit for each `FieldName` that occurs.
    private var present: UInt64 = 0

    /// A table with room for `capacity` fields (at least one). A head with more is refused as `.tooManyFields`.
    package init(capacity: Int = MessageLimits().fieldCount) {
        self.capacity = max(capacity, 1)
        storage = .allocate(capacity: self.capacity)
    }

    deinit {
        storage.deallocate()
    }

    package subscript(index: Int) -> Field {
        precondition(index >= 0 && index < count, "no such field")
        return storage[index]
    }

    /// Marks the field at `index` as removed.
    package func remove(_ index: Int) {
        precondition(index >= 0 && index < count, "no such field")
        storage[index].extent = .nothing
    }

    /// The first kept field of this name (not for `.other`: see `firstIndex(named:in:)`).
    package func first(_ name: FieldName) -> Int? {
        contains(name) ? next(name, from: 0) : nil
    }

    /// The first kept field of this name after `index`.
    package func next(_ name: FieldName, after index: Int) -> Int? {
        next(name, from: index &+ 1)
    }

    /// The first kept field whose name equals `lowercase` in any mixture of cases. `bytes` are the scanned bytes;
    /// `lowercase` must be a token in lower case.
    package func firstIndex(named lowercase: StaticString, in bytes: UnsafeRawBufferPointer) -> Int? {
        let name = UnsafeRawBufferPointer(start: lowercase.utf8Start, count: lowercase.utf8CodeUnitCount)
        return firstIndex(named: name, in: bytes)
    }

    /// The first kept field of this name, in any mixture of cases, at index `start` or later.
    package func firstIndex(
        named name: UnsafeRawBufferPointer, in bytes: UnsafeRawBufferPointer, from start: Int = 0
    ) -> Int? {
        var index = max(start, 0)
        while index < count {
            let field = storage[index]
            let isCandidate = !field.isRemoved && Int(field.nameEnd &- field.nameStart) == name.count
            if isCandidate, CaseInsensitive.equal(UnsafeRawBufferPointer(rebasing: bytes[field.nameRange]), name) {
                return index
            }
            index &+= 1
        }
        return nil
    }

    /// The byte ranges of the kept field lines, in order, with adjacent lines joined: a single range if nothing was
    /// removed.
    package func forEachKeptRun(_ body: (Range<Int>) -> Void) {
        var start: Int?
        for index in 0..<count {
            let field = storage[index]
            if field.extent == .line {
                start = start ?? Int(field.nameStart)
                continue
            }
            if let begun = start { body(begun..<Int(field.nameStart)) }
            start = nil
            if field.extent == .value {
                body(Int(field.nameStart)..<Int(field.nameEnd) + 1)
                body(field.valueRange)
                start = Int(field.lineEnd) - 2
            }
        }
        if let begun = start { body(begun..<Int(storage[count - 1].lineEnd)) }
    }

    /// Fills the table with the fields of a trailer section that a `BodyScanner` has accepted.
    ///
    /// Fields that are forbidden there (RFC 9110 §6.5.1) are marked as removed. Fields beyond the capacity are omitted.
    ///
    /// - Parameters:
    ///   - lines: `Step.trailers`.
    ///   - bytes: the bytes that were passed to `scan` for that step.
    package func readTrailers(_ lines: Range<Int>, in bytes: UnsafeRawBufferPointer) {
        _ = reset()
        TrailerSection.forEachField(in: lines, of: bytes) { field in
            guard count < capacity else { return }
            if field.name != .other { present |= 1 &<< UInt64(field.name.rawValue) }
            (storage + count).initialize(to: field)
            count += 1
        }
    }

    /// Fills the table as ``readTrailers(_:in:)`` does, with a section that no `BodyScanner` has seen: field lines and
    /// an empty line. Returns why it is refused; nil if it is not.
    package func scanTrailers(_ bytes: UnsafeRawBufferPointer, limits: MessageLimits) -> BodyRefusal? {
        _ = reset()
        guard let base = bytes.baseAddress else { return nil }
        var section = TrailerSection()
        do throws(BodyRefusal) {
            guard let length = try section.scan(base, count: bytes.count, limits: limits.clamped), length == bytes.count
            else { return .malformedChunkEnd }
            let emptyLine = 2
            readTrailers(0..<(length - emptyLine), in: bytes)
            return nil
        } catch {
            return error
        }
    }

    /// Narrows the value of the first kept field of this name. Only the narrowed value is forwarded.
    func trim(_ name: FieldName, to value: Range<Int>) {
        guard let index = first(name) else { return }
        storage[index].extent = .value
        storage[index].valueStart = UInt32(truncatingIfNeeded: value.lowerBound)
        storage[index].valueEnd = UInt32(truncatingIfNeeded: value.upperBound)
    }

    func contains(_ name: FieldName) -> Bool { present & (1 &<< UInt64(name.rawValue)) != 0 }

    func containsAny(of names: FieldNameSet) -> Bool { present & names.bits != 0 }

    /// Clears the table and lends its storage, `capacity` fields long, to a scan, which ends with `commit`.
    func reset() -> UnsafeMutablePointer<Field> {
        count = 0
        present = 0
        return storage
    }

    func commit(count: Int, present: UInt64) {
        self.count = count
        self.present = present
    }

    private func next(_ name: FieldName, from start: Int) -> Int? {
        var index = max(start, 0)
        while index < count {
            if storage[index].name == name && !storage[index].isRemoved { return index }
            index &+= 1
        }
        return nil
    }
}
