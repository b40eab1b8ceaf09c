extension RouterPlan {
    /// The answer to a request whose router has no service: a redirect, if the router is one. A request that needs no
    /// redirect has nowhere to go then.
    func answerWithoutService(_ request: RequestView) -> LocalResponse {
        guard isRedirection, let middlewares else { return LocalResponse(.noService) }
        guard case .answer(let answer)? = MiddlewareRun(middlewares).next(request) else {
            return LocalResponse(.noRoute)
        }
        return answer
    }
}
