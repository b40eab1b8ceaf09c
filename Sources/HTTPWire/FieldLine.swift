/// One field line (RFC 9112 §5), of a head or of a trailer section.
enum FieldLine {
    /// A field, and whether its name may be an alias of a well-known one.
    struct Scanned {
        var field: Field
        var mayBeAlias: Bool
    }

    /// Scans the line that begins at `start`. Its limit is that of one field, or what its section, which began at
    /// `sectionStart`, has left of its own, whichever is smaller. `start` must be below `count`.
    @inline(__always)
    static func scan(
        _ base: UnsafeRawPointer, from start: Int, count: Int, sectionStart: Int, limits: MessageLimits
    ) throws(Halt) -> Scanned {
        // The line's CR is at `lastEnd` or before.
        let lastOfSection = sectionStart &+ limits.fieldSection &- 2
        guard start <= lastOfSection else { throw .refused(.fieldSectionTooLarge) }
        let lastEnd = min(start &+ limits.field, lastOfSection)
        let tooLong: HeadRefusal = lastEnd < lastOfSection ? .fieldTooLarge : .fieldSectionTooLarge
        let horizon = min(count, lastEnd &+ 1)
        var mayBeAlias = false
        let nameEnd = ByteLanes.endOfToken(base, from: start, to: horizon, oddDelimiters: &mayBeAlias)
        guard nameEnd < horizon else { throw horizon > lastEnd ? .refused(tooLong) : .incomplete }
        let colon = base.load(fromByteOffset: nameEnd, as: UInt8.self)
        guard colon == UInt8(ascii: ":"), nameEnd > start else {
            throw .refused(nameRefusal(colon, isFirst: nameEnd == start))
        }
        var valueStart = nameEnd &+ 1
        while valueStart < horizon, base.load(fromByteOffset: valueStart, as: UInt8.self).isBlank { valueStart &+= 1 }
        let textEnd = ByteLanes.endOfText(base, from: valueStart, to: horizon)
        let end = try Line.end(
            base, at: textEnd, count: count, lastEnd: lastEnd, tooLong: tooLong, otherwise: .malformedFieldValue)
        var valueEnd = textEnd
        while valueEnd > valueStart, base.load(fromByteOffset: valueEnd &- 1, as: UInt8.self).isBlank { valueEnd &-= 1 }
        let name = FieldName.recognise(base + start, count: nameEnd &- start)
        let field = Field(
            name: name, nameStart: UInt32(truncatingIfNeeded: start), nameEnd: UInt32(truncatingIfNeeded: nameEnd),
            valueStart: UInt32(truncatingIfNeeded: valueStart), valueEnd: UInt32(truncatingIfNeeded: valueEnd),
            lineEnd: UInt32(truncatingIfNeeded: end))
        return Scanned(field: field, mayBeAlias: mayBeAlias)
    }

    /// Why a name ends in `byte` and not in a colon.
    private static func nameRefusal(_ byte: UInt8, isFirst: Bool) -> HeadRefusal {
        switch byte {
        case UInt8(ascii: ":"): .emptyFieldName
        case 0x20, 0x09: isFirst ? .foldedLine : .whiteSpaceInFieldName
        case .lineFeed: .bareLineFeed
        default: .malformedFieldName
        }
    }
}
