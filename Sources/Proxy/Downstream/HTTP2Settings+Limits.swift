import HTTP2Wire
import HTTPWire

extension HTTP2Settings {
    /// What clients of an entry point may do.
    init(_ entryPoint: EntryPointLimits, _ limits: ProxyLimits) {
        self.init(.server)
        streams = entryPoint.concurrentStreams
        headBytes = limits.message.requestLine + limits.message.fieldSection
    }
}
