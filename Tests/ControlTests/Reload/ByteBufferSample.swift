import NIOCore

enum ByteBufferSample {
    /// As inotify(7) writes them: names are padded with zeros.
    static func events(_ events: [(watch: Int32, mask: UInt32, name: String)]) -> ByteBuffer {
        var buffer = ByteBuffer()
        for (watch, mask, name) in events {
            let count = name.isEmpty ? 0 : (name.utf8.count / 16 + 1) * 16
            buffer.writeInteger(watch, endianness: .host)
            buffer.writeInteger(mask, endianness: .host)
            buffer.writeInteger(UInt32(0), endianness: .host)
            buffer.writeInteger(UInt32(count), endianness: .host)
            buffer.writeBytes(Array(name.utf8) + [UInt8](repeating: 0, count: count - name.utf8.count))
        }
        return buffer
    }
}
