extension Duration {
    /// Rounded toward zero; saturates.
    package var wholeMilliseconds: Int64 {
        let (product, overflow) = components.seconds.multipliedReportingOverflow(by: 1000)
        return overflow
            ? (components.seconds < 0 ? .min : .max)
            : product.addingReportingOverflow(components.attoseconds / 1_000_000_000_000_000).partialValue
    }

    /// Rounded toward zero; saturates.
    package var wholeNanoseconds: Int64 {
        let (product, overflow) = components.seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow
            ? (components.seconds < 0 ? .min : .max)
            : product.addingReportingOverflow(components.attoseconds / 1_000_000_000).partialValue
    }
}
