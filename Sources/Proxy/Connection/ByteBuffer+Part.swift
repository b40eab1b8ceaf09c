import NIOCore

extension ByteBuffer {
    /// Bytes that lie in this buffer, without a copy; a copy of bytes that lie elsewhere.
    func part(_ bytes: UnsafeRawBufferPointer) -> ByteBuffer {
        let offset = withUnsafeReadableBytes { all -> Int? in
            guard let start = all.baseAddress, let first = bytes.baseAddress else { return nil }
            return first >= start && first + bytes.count <= start + all.count ? first - start : nil
        }
        guard let offset, let part = getSlice(at: readerIndex + offset, length: bytes.count) else {
            return ByteBuffer(bytes: bytes)
        }
        return part
    }
}
