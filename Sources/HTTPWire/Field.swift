/// One field line of a scanned head, as offsets into the scanned bytes.
///
/// The line is `nameStart ..< lineEnd`, including CRLF. The value excludes the white space around it.
package struct Field: Sendable {
    /// The part of the line that is forwarded.
    enum Extent: UInt8 {
        case line
        /// Name, colon, value and CRLF. The value is narrower than the received one, but means the same.
        case value
        case nothing
    }

    package var name: FieldName
    var extent = Extent.line
    package var nameStart: UInt32
    package var nameEnd: UInt32
    package var valueStart: UInt32
    package var valueEnd: UInt32
    package var lineEnd: UInt32

    /// Omitted by `FieldTable.forEachKeptRun` and not found by searches.
    package var isRemoved: Bool { extent == .nothing }
    package var nameRange: Range<Int> { Int(nameStart)..<Int(nameEnd) }
    package var valueRange: Range<Int> { Int(valueStart)..<Int(valueEnd) }
}
