import HTTPWire

/// A scanned response head, its bytes and its fields. Valid as long as the bytes and the field table hold this head.
struct ResponseView {
    let head: ResponseHead
    let bytes: UnsafeRawBufferPointer
    let fields: FieldTable
    /// The response has no body, but its end was not received yet: trailers may come with it.
    var endsLater = false
}
