package io.periscan.zap.active;

import io.periscan.zap.Rule;
import io.periscan.zap.page.Page;
import java.io.IOException;
import java.util.List;

/** A sign of LDAP, XPath or MongoDB in a value breaks a query. WSTG-INPV-06, -09. Proven by the library's own words, which the page did not have before. */
public final class QueryErrorRule extends ParameterRule {
    private static final String[] BREAKERS = {"*)(|(cn=", "']|//*['"};
    private static final List<String> ERRORS = List.of(
            "javax.naming.directory.InvalidSearchFilterException",
            "ldap_search(): Search: Bad search filter",
            "com.sun.jndi.ldap",
            "Protocol error occurred (LDAP",
            "ldap.FILTER_ERROR",
            "LDAPSearchFilterException",
            "javax.xml.xpath.XPathExpressionException",
            "System.Xml.XPath.XPathException",
            "SimpleXMLElement::xpath(): Invalid expression",
            "DOMXPath::query(): Invalid expression",
            "lxml.etree.XPathEvalError",
            "XPathEvalError: Invalid");

    public QueryErrorRule() {
        super(new Rule(920020, "LDAP or XPath injection: a sign breaks a query", Rule.Level.HIGH, Rule.Confidence.HIGH, 943), BREAKERS.length);
    }

    @Override
    void probe(Parameter parameter) throws IOException {
        String before = parameter.page().text();
        for (String breaker : BREAKERS) {
            if (parameter.isOver()) return;
            String value = parameter.value() + breaker;
            Page answer = parameter.send(value);
            for (String error : ERRORS) {
                if (!answer.text().contains(error) || before.contains(error)) continue;
                parameter.report(answer, value, error);
                return;
            }
        }
    }
}
