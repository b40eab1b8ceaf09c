package import NIOCore

extension Channel {
    /// Gives a channel that was connected with `autoRead` off to the handler that reads it: from here on it reads. Of
    /// several addresses that are tried at once, only the connected one gets the handler.
    ///
    /// To be called on the channel's event loop.
    package func hand(to handler: some ChannelHandler) throws {
        try pipeline.syncOperations.addHandler(handler)
        try syncOptions?.setOption(.autoRead, value: true)
    }
}
