package import NIOCore

extension Channel {
    /// Adds the handler to a channel that was connected with `autoRead` off, and starts reading. If several addresses
    /// are tried at once, only the connected channel gets the handler.
    ///
    /// Must be called on the channel's event loop.
    package func hand(to handler: some ChannelHandler) throws {
        try pipeline.syncOperations.addHandler(handler)
        try syncOptions?.setOption(.autoRead, value: true)
    }
}
