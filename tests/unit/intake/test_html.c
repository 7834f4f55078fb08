#include "html.h"

#include <criterion/criterion.h>

static struct text t;

Test(html, values_are_escaped_unless_they_are_html_already)
{
    HTML_FILL(&t, "<p title=\"{{a}}\">{{a}}</p>{{{b}}}{{c}}", {"a", "<&>\"'"}, {"b", "<b>"});
    cr_assert_str_eq(t.data,
                     "<p title=\"&lt;&amp;&gt;&quot;&#39;\">&lt;&amp;&gt;&quot;&#39;</p><b>");
    text_free(&t);
}

Test(html, a_value_is_never_read_as_a_template)
{
    HTML_FILL(&t, "{{a}}{{{a}}}", {"a", "{{b}}"}, {"b", "no"});
    cr_assert_str_eq(t.data, "{{b}}{{b}}");
    text_free(&t);
}

Test(html, conditions_show_what_they_enclose_or_not)
{
    HTML_FILL(&t, "{{?a}}A{{a}}{{/}}{{!a}}no a{{/}}{{?b}}B{{/}}{{!b}}no b{{/}}.", {"a", "1"},
              {"b", ""});
    cr_assert_str_eq(t.data, "A1no b.");
    text_free(&t);
}
