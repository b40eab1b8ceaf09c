/// One field line of a scanned head, as offsets into the bytes that were scanned.
///
/// The line is `nameStart ..< lineEnd`, CRLF included; the value has no white space around it.
package struct Field: Sendable {
    package var name: FieldName
    /// Left out by `FieldTable.forEachKeptRun` and not found by searches.
    package var isRemoved = false
    package var nameStart: UInt32
    package var nameEnd: UInt32
    package var valueStart: UInt32
    package var valueEnd: UInt32
    package var lineEnd: UInt32

    package var nameRange: Range<Int> { Int(nameStart)..<Int(nameEnd) }
    package var valueRange: Range<Int> { Int(valueStart)..<Int(valueEnd) }
}
