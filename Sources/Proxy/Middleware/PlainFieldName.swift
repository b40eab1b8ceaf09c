/// A field's name as a backend reads it that maps names to variables, as CGI does: in lower case, with each run of
/// hyphens and underscores as one hyphen.
struct PlainFieldName<Name: Collection<UInt8>>: Sequence, IteratorProtocol {
    private var rest: Name.SubSequence
    private var endsInHyphen = false

    init(_ name: Name) { rest = name[...] }

    mutating func next() -> UInt8? {
        while let byte = rest.popFirst() {
            let isDelimiter = byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
            if isDelimiter, endsInHyphen { continue }
            endsInHyphen = isDelimiter
            return isDelimiter ? UInt8(ascii: "-") : FieldEdit.lowered(byte)
        }
        return nil
    }
}
